//! Processes that are killed while lines flow.

use fedtail_tests::{Job, Place, Relay, Server, eventually_holds, oracle, stream};

/// The pace of a busy log; without a pause the disk would fill while a process starts.
const LINES_PER_SECOND: usize = 5000;

/// A server that is killed, twice, and started again on its store goes on where it stood: the log is identical.
#[test]
fn a_server_killed_while_lines_flow_goes_on_identically() {
    let place = Place::new();
    let mut server = Server::with_tls(&place, &[]);
    let relay = Relay::to(server.address);
    let job = Job::start(place.path("log.txt"), LINES_PER_SECOND);
    let site = stream(&server.target_through(&relay, &place, "site-1"), "job-1", &[], &job.log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    for _ in 0..2 {
        let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
        oracle::grows("while lines flow", &stored, before + 10_000);
        server.process.kill();
        relay.cut();
        job.writes(500);
        server = Server::with_tls(&place, &[]);
        relay.heal(server.address);
    }
    let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
    oracle::grows("while lines flow", &stored, before + 10_000);
    let all = job.ends();
    site.stop().with_code(0);
    eventually_holds(&stored, &all);
    server.ended("job-1/site-1/log.txt", "complete");
}

/// A site that is killed, twice, and started again asks the server how far it is: the log is identical.
#[test]
fn a_site_killed_while_lines_flow_goes_on_identically() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let job = Job::start(place.path("log.txt"), LINES_PER_SECOND);
    let target = server.target(&place, "site-1");
    let stored = place.stored("job-1", "site-1", "log.txt");
    let mut site = stream(&target, "job-1", &[], &job.log);
    for _ in 0..2 {
        let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
        oracle::grows("while lines flow", &stored, before + 10_000);
        site.kill();
        job.writes(500);
        site = stream(&target, "job-1", &[], &job.log);
    }
    let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
    oracle::grows("while lines flow", &stored, before + 10_000);
    let all = job.ends();
    site.stop().with_code(0);
    eventually_holds(&stored, &all);
    server.process.says("ended job-1/site-1/log.txt complete");
    assert_eq!(server.endings().len(), 3, "one for each stream: {:#?}", server.endings());
}
