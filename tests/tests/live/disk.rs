//! A store that is full.

use fedtail_tests::{
    Place, Process, Server, append, eventually_holds, fedtail_with_file_limit, raise_file_limit, stream,
};

/// A server whose disk is full acknowledges nothing and says so, at both sides; once there is room the same bytes are
/// stored, and the log is identical.
#[test]
fn a_full_disk_makes_the_site_wait_and_loses_nothing() {
    let place = Place::new();
    let mut command = fedtail_with_file_limit(256, ["server", "--listen", "127.0.0.1:0", "--store"]);
    let server = Server::listening(Process::start("the server", command.arg(place.store())));
    let log = place.path("log.txt");
    append(&log, "a first line\n");
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "a first line\n");

    // 1 MiB does not fit into 128 KiB.
    let line = "2026-11-24 03:31:44 - INFO - a line of the log of a training that is longer than the disk\n";
    let many = line.repeat((1 << 20) / line.len());
    append(&log, &many);
    let warning = site.says("waiting, the server cannot store: ");
    assert!(warning.contains("there is no room for ") && warning.contains("job-1/site-1/log.txt"), "{warning}");
    let warning = server.process.says("there is no room for ");
    assert!(warning.contains(stored.to_str().unwrap()) && warning.contains("the site waits"), "{warning}");
    assert!(server.endings().is_empty() && !site.is_over());

    raise_file_limit(&server.process);
    site.says("the server can store again");
    eventually_holds(&stored, format!("a first line\n{many}"));
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
}
