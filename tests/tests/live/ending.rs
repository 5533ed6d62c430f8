//! How a stream ends: when it is told to, when its site is gone, when another one takes over.

use fedtail_tests::{Place, Raw, Server, Signal, Target, append, eventually_holds, stream, unused_address};

/// SIGTERM asks for the end and does not cut it short: lines that are written after it still arrive.
#[test]
fn lines_written_after_the_stop_arrive() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, "training\n");
    // The last look comes a poll interval after the stop.
    let site = stream(&server.target(&place, "site-1"), "job-1", &["--poll-interval", "3s"], &log);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "training\n");
    site.signal(Signal::TERM);
    append(&log, "tearing down\n");
    site.ends().with_code(0).line("log.txt complete, 22 bytes at the server");
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "training\ntearing down\n");
    assert_eq!(server.ended("job-1/site-1/log.txt", "complete"), "complete, 22 bytes");
}

/// A quiet log's heartbeats keep its stream open past the idle timeout; a site that is killed is closed as idle, with one
/// line that says where its partial log is.
#[test]
fn heartbeats_keep_a_quiet_stream_open_and_a_killed_site_is_closed_as_idle() {
    let place = Place::new();
    let server = Server::without_tls(&place, &["--idle-timeout", "3s"]);
    let log = place.path("log.txt");
    append(&log, "begin\n");
    let site = stream(&server.target(&place, "site-1"), "job-1", &["--liveness-interval", "300ms"], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "begin\n");
    // A stream that sends nothing at all, opened now, is closed when the idle timeout has passed: that is the clock.
    let mut silent = Raw::greeted(server.address, "clock");
    silent.open("job-1", "log.txt");
    server.ended("job-1/clock/log.txt", "idle");
    append(&log, "end\n");
    eventually_holds(&stored, "begin\nend\n");
    assert!(server.process.said("ended job-1/site-1").is_empty(), "the quiet stream stayed open");
    site.kill();
    assert_eq!(
        server.ended("job-1/site-1/log.txt", "idle"),
        format!("idle, 10 bytes: silent for 3s; the partial log stays in {}", stored.display())
    );
    assert_eq!(server.endings().len(), 2, "{:#?}", server.endings());
}

/// A site that opens a stream and dies before its first byte is reported, once.
#[test]
fn a_sender_that_dies_before_its_first_byte_is_closed_as_idle_once() {
    let place = Place::new();
    let server = Server::without_tls(&place, &["--idle-timeout", "1500ms"]);
    let mut raw = Raw::greeted(server.address, "site-1");
    raw.open("job-1", "log.txt");
    drop(raw);
    let line = server.ended("job-1/site-1/log.txt", "idle");
    assert!(line.starts_with("idle, 0 bytes: silent for 1s 500ms; the partial log stays in "), "{line}");
    // The same again, with a stream that ends after it as the sign that nothing more is said of the first.
    Raw::greeted(server.address, "site-2").open("job-1", "log.txt");
    server.ended("job-1/site-2/log.txt", "idle");
    assert_eq!(server.endings().len(), 2, "{:#?}", server.endings());
}

/// A second signal leaves at once, and says what that means.
#[test]
fn a_second_signal_leaves_at_once() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "a line\n");
    // Nobody is there, so the first signal has to wait.
    let site = stream(&Target::without_tls(unused_address(), "site-1"), "job-1", &[], &log);
    site.says("trying again until it is there");
    site.signal(Signal::TERM);
    site.signal(Signal::INT);
    let exit = site.ends().with_code(5);
    exit.line("fedtail: error: left at once, on a second signal: the server has what it had acknowledged");
}

/// A finish that has a limit ends at it, and says what it had been waiting for.
#[test]
fn a_finish_timeout_ends_the_wait_and_says_for_what_it_was() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let target = Target::without_tls(unused_address(), "site-1");
    let site = stream(&target, "job-1", &["--finish-timeout", "1s"], &log);
    site.says("trying again until it is there");
    let exit = site.stop().with_code(5);
    exit.line("log.txt timed out, 0 bytes at the server: after 1s, the server was not to be reached");
}

/// Of two hosts that stream the same log the newest wins, and the other one ends for good and says why.
#[test]
fn a_second_stream_of_the_same_log_takes_over() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, "one\n");
    let stored = place.stored("job-1", "site-1", "log.txt");
    let first = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    eventually_holds(&stored, "one\n");
    let second = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    first.ends().with_code(6).line("log.txt superseded, 4 bytes at the server: another host streams this log now");
    append(&log, "two\n");
    eventually_holds(&stored, "one\ntwo\n");
    second.stop().with_code(0);
    server.process.says("ended job-1/site-1/log.txt complete, 8 bytes");
    let endings = server.endings();
    assert!(endings.len() == 2 && endings[0].contains("superseded, 4 bytes"), "{endings:#?}");
}
