//! The way between site and server: late, cut, stalled, shared.

use fedtail_tests::{Place, Relay, Server, Target, append, eventually_holds, stream, unused_address};

/// A site that starts before its server waits for it, says so once, and loses nothing.
#[test]
fn a_server_may_start_after_the_site() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "before the server\n");
    let address = unused_address();
    let site = stream(&Target::without_tls(address, "site-1"), "job-1", &[], &log);
    let warning = site.says("trying again until it is there");
    assert!(warning.contains(&address.to_string()), "{warning}");
    append(&log, "still before the server\n");
    let server = Server::at(address, &place, &[]);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "before the server\nstill before the server\n");
    let exit = site.stop().with_code(0);
    exit.line("trying again until it is there");
    server.ended("job-1/site-1/log.txt", "complete");
}

/// A connection that breaks is made again, and each byte is stored once.
#[test]
fn a_cut_connection_is_made_again_and_the_log_is_identical() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let relay = Relay::to(server.address);
    let log = place.path("log.txt");
    append(&log, "before\n");
    let site = stream(&server.target_through(&relay, &place, "site-1"), "job-1", &[], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "before\n");
    relay.cut();
    append(&log, "while it is cut\n");
    site.says("trying again until it is there");
    relay.heal(server.address);
    eventually_holds(&stored, "before\nwhile it is cut\n");
    append(&log, "after\n");
    eventually_holds(&stored, "before\nwhile it is cut\nafter\n");
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
    assert_eq!(server.endings().len(), 1, "{:#?}", server.endings());
}

/// A network that holds everything back until the server has given the stream up: once it moves again, so does the log.
#[test]
fn a_stalled_connection_goes_on_also_after_the_server_closed_the_stream() {
    let place = Place::new();
    let server = Server::with_tls(&place, &["--idle-timeout", "2s"]);
    let relay = Relay::to(server.address);
    let log = place.path("log.txt");
    append(&log, "before\n");
    let target = server.target_through(&relay, &place, "site-1");
    let site = stream(&target, "job-1", &["--liveness-interval", "300ms"], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "before\n");
    relay.stall();
    append(&log, "while it is stalled\n");
    server.ended("job-1/site-1/log.txt", "idle");
    relay.heal(server.address);
    eventually_holds(&stored, "before\nwhile it is stalled\n");
    site.stop().with_code(0);
    server.process.says("ended job-1/site-1/log.txt complete, 27 bytes");
    assert_eq!(server.endings().len(), 2, "one for each stream: {:#?}", server.endings());
}

/// A connection that a firewall has forgotten stays silent for ever; the site notices, says so, and makes another one.
#[test]
fn a_connection_that_stays_silent_is_replaced() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let relay = Relay::to(server.address);
    let log = place.path("log.txt");
    append(&log, "before\n");
    let target = server.target_through(&relay, &place, "site-1");
    let site = stream(&target, "job-1", &["--liveness-interval", "300ms"], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "before\n");
    relay.strand();
    append(&log, "after\n");
    site.says("no sign of life from the server for 10s");
    eventually_holds(&stored, "before\nafter\n");
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
    assert_eq!(server.endings().len(), 1, "the same host came back, so nothing ended: {:#?}", server.endings());
}

/// Two sites with logs of one name in one job are kept apart.
#[test]
fn two_sites_stream_logs_of_one_job() {
    let place = Place::new();
    let server = Server::with_tls(&place, &[]);
    let sites = ["site-1", "site-2"].map(|name| {
        let directory = place.path(&format!("{name}-logs"));
        std::fs::create_dir(&directory).unwrap();
        let log = directory.join("log.txt");
        append(&log, format!("{name} begins\n"));
        (name, stream(&server.target(&place, name), "job-1", &[], &log))
    });
    for (name, _) in &sites {
        eventually_holds(&place.stored("job-1", name, "log.txt"), format!("{name} begins\n"));
    }
    for (name, site) in sites {
        site.stop().with_code(0);
        server.ended(&format!("job-1/{name}/log.txt"), "complete");
    }
}
