//! `stream --once`: the snapshot of a log, taken after the fact.

use fedtail_tests::{Place, Server, append, contents, eventually_holds, stream};

/// A snapshot sends what is there and ends by itself; taken again it adds nothing; with more bytes it goes on; another
/// file under the same name is refused for good, and what is stored stays.
#[test]
fn a_snapshot_adds_what_is_new_and_only_to_the_same_log() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let target = server.target(&place, "site-1");
    let log = place.path("log.txt");
    let stored = place.stored("job-1", "site-1", "log.txt");
    append(&log, "round 1\nround 2\n");
    let once = || stream(&target, "job-1", &["--once"], &log).ends();

    once().with_code(0).line("log.txt complete, 16 bytes at the server");
    eventually_holds(&stored, "round 1\nround 2\n");

    once().with_code(0).line("log.txt complete, 16 bytes at the server");
    eventually_holds(&stored, "round 1\nround 2\n");

    append(&log, "round 3\n");
    once().with_code(0).line("log.txt complete, 24 bytes at the server");
    eventually_holds(&stored, "round 1\nround 2\nround 3\n");

    std::fs::write(&log, "another run of another job, with the same id\n").unwrap();
    let exit = once().with_code(3);
    let line = exit.line("log.txt refused, 24 bytes at the server: ");
    assert!(line.contains("is not the log that the server has under this name"), "{line}");
    assert!(line.contains("use a job id of its own for a new run"), "{line}");
    eventually_holds(&stored, "round 1\nround 2\nround 3\n");

    // The refused one is not among them: nothing of it is at the server.
    let ended = server.process.says_often("ended job-1/site-1/log.txt complete, ", 3);
    let bytes: Vec<_> = ended.iter().map(|line| line.rsplit("complete, ").next().unwrap()).collect();
    assert_eq!(bytes, ["16 bytes", "16 bytes", "24 bytes"]);
}

/// A snapshot of nothing is an error before anything is opened, not a log that is empty.
#[test]
fn a_snapshot_of_a_missing_file_is_an_error() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let missing = place.path("missing.log");
    let words = stream(&server.target(&place, "site-1"), "job-1", &["--once"], &missing).ends().with_error(1);
    assert!(words.starts_with(&format!("{}: No such file", missing.display())), "{words}");
    assert!(contents(&place.store()).is_empty());
}

/// After the grace for late lines an ended log takes nothing more, and the site is told since when.
#[test]
fn late_lines_are_refused_after_the_grace() {
    let place = Place::new();
    let server = Server::without_tls(&place, &["--late-grace", "1ns"]);
    let target = server.target(&place, "site-1");
    let log = place.path("log.txt");
    append(&log, "in time\n");
    stream(&target, "job-1", &["--once"], &log).ends().with_code(0);
    append(&log, "late\n");
    let exit = stream(&target, "job-1", &["--once"], &log).ends().with_code(3);
    let line = exit.line("job-1/site-1/log.txt ended (complete)");
    assert!(line.ends_with("ago, and late lines are taken for 1ns only"), "{line}");
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "in time\n");
}
