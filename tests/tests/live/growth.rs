//! A log on its way while it is written.

use std::process::Command;

use fedtail_tests::{Place, Process, Relay, Server, append, eventually_holds, stream};

/// What the job writes can be read at the server while it is written, line by line, with an ordinary `tail -f`.
#[test]
fn an_operator_follows_the_stored_log_with_tail_while_the_job_writes() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, "round 0\n");
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "round 0\n");
    let tail = Process::start("tail", Command::new("tail").args(["-n", "+1", "-f"]).arg(&stored));
    for round in 1..=5 {
        tail.says(&format!("round {}", round - 1));
        append(&log, format!("round {round}\n"));
    }
    tail.says("round 5");
    let exit = site.stop().with_code(0);
    assert!(exit.out[0].ends_with(" as site-1"), "{exit:#?}");
    assert!(exit.line("log.txt complete, 48 bytes at the server").starts_with("job-1 /"), "{exit:#?}");
    assert_eq!(server.ended("job-1/site-1/log.txt", "complete"), "complete, 48 bytes");
    let lines = tail.said("round");
    assert_eq!(lines, (0..=5).map(|round| format!("round {round}")).collect::<Vec<_>>());
}

/// A log that is not there yet is waited for, and sent from its first byte once it is.
#[test]
fn a_late_log_is_sent_from_its_first_byte() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("late.log");
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    let stored = place.stored("job-1", "site-1", "late.log");
    // The stream is open, and waits.
    eventually_holds(&stored, "");
    append(&log, "the first line\n");
    eventually_holds(&stored, "the first line\n");
    site.stop().with_code(0);
    assert_eq!(server.ended("job-1/site-1/late.log", "complete"), "complete, 15 bytes");
}

/// A log that never appears is no success: the outcome says it.
#[test]
fn a_log_that_was_never_there_is_said_to_be_missing() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &place.path("never.log"));
    eventually_holds(&place.stored("job-1", "site-1", "never.log"), "");
    let exit = site.stop().with_code(4);
    exit.line("never.log incomplete, 0 bytes at the server: the log was never there");
    server.ended("job-1/site-1/never.log", "incomplete, 0 bytes: the log was never there");
}

/// Several files are several streams over one connection, each with an ending of its own.
#[test]
fn several_logs_share_one_connection() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let relay = Relay::to(server.address);
    let (log, error_log) = (place.path("log.txt"), place.path("error_log.txt"));
    append(&log, "a line\n");
    append(&error_log, "a complaint\n");
    let extra = [log.to_str().expect("a path in UTF-8")];
    let site = stream(&server.target_through(&relay, &place, "site-1"), "job-1", &extra, &error_log);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "a line\n");
    eventually_holds(&place.stored("job-1", "site-1", "error_log.txt"), "a complaint\n");
    let exit = site.stop().with_code(0);
    exit.line("/log.txt complete, 7 bytes");
    exit.line("/error_log.txt complete, 12 bytes");
    server.ended("job-1/site-1/log.txt", "complete");
    server.ended("job-1/site-1/error_log.txt", "complete");
    assert_eq!(relay.connections(), 1);
}

/// A line whose end has not been written is sent as it is: an operator sees a progress bar move.
#[test]
fn a_line_without_its_end_is_sent() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, "epoch 1: 10%");
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "epoch 1: 10%");
    append(&log, "\repoch 1: 20%");
    eventually_holds(&stored, "epoch 1: 10%\repoch 1: 20%");
    site.stop().with_code(0);
}
