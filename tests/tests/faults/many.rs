//! Many logs of one site over one connection.

use std::path::PathBuf;

use fedtail_tests::{
    Place, Process, Relay, Server, append, eventually_holds, fedtail_with_file_limit, line, lines, oracle,
    raise_file_limit, stream,
};

const LOGS: usize = 2_000;

/// 2,000 streams on one connection, of which one is stalled since its file can't grow at the server: the others go on, in
/// no more time; once there is room, so does that one.
#[test]
fn two_thousand_streams_do_not_notice_one_that_is_stalled() {
    let place = Place::new();
    // 128 KiB for each file.
    let mut command = fedtail_with_file_limit(256, ["server", "--listen", "127.0.0.1:0", "--store"]);
    let server = Server::listening(Process::start("the server", command.arg(place.store())));
    let relay = Relay::to(server.address);
    let logs: Vec<PathBuf> = (0..LOGS).map(|number| place.path(&format!("{number:04}.log"))).collect();
    for log in &logs {
        append(log, line(0));
    }
    let stalled = place.path("0000.log");
    let large: Vec<u8> = (1..50_000).flat_map(|number| line(number).into_bytes()).collect();
    append(&stalled, &large);
    let others: Vec<&str> = logs[1..].iter().map(|log| log.to_str().unwrap()).collect();
    let site = stream(&server.target_through(&relay, &place, "site-1"), "job-1", &others, &stalled);
    site.says("waiting, the server cannot store: ");
    for round in 1..=3 {
        for log in &logs[1..] {
            append(log, line(round));
        }
        for log in &logs[1..] {
            let name = log.file_name().unwrap().to_str().unwrap();
            eventually_holds(&place.stored("job-1", "site-1", name), lines(round + 1));
        }
    }
    assert_eq!(relay.connections(), 1);
    let stored = place.stored("job-1", "site-1", "0000.log");
    oracle::is_beginning("while it is stalled", &oracle::read(&stored), &lines(50_000));
    assert!(server.endings().is_empty() && oracle::read(&stored).len() <= 128 << 10);
    raise_file_limit(&server.process);
    eventually_holds(&stored, lines(50_000));
    let exit = site.stop().with_code(0);
    assert_eq!(exit.out.iter().filter(|line| line.contains(" complete, ")).count(), LOGS);
    server.process.says_often(" complete, ", LOGS);
}
