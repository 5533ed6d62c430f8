//! `fedtail ls` and `fedtail tail`: who may read, and what is shown.

use fedtail_tests::{Exit, Place, Process, Server, Target, append, eventually_holds, fedtail, project, stream};

/// A reading command to its end.
fn read(command: &str, target: &Target, arguments: &[&str]) -> Exit {
    Process::start(command, fedtail([command]).args(target.flags()).args(arguments)).ends()
}

/// An operator's certificate reads over the network; a site's reads nothing, not even its own logs.
#[test]
fn an_operators_certificate_reads_and_a_sites_does_not() {
    let place = Place::new();
    let server = Server::with_tls(&place, &["--operator", "admin@lab.org"]);
    let log = place.path("log.txt");
    append(&log, "round 1\nround 2\n");
    let site = server.target(&place, "site-1");
    stream(&site, "job-1", &["--once"], &log).ends().with_code(0);

    let operator = server.target_of(&project().member("admin@lab.org"), &place);
    let listed = read("ls", &operator, &[]).with_code(0);
    let line = listed.line("log.txt");
    assert!(line.contains("job-1") && line.contains("site-1") && line.contains("complete"), "{line}");
    let shown = read("tail", &operator, &["--job", "job-1", "-n", "1"]).with_code(0);
    assert_eq!(shown.out, ["site-1 log.txt | round 2"]);

    for (command, arguments) in [("ls", &[][..]), ("tail", &["--job", "job-1"])] {
        let words = read(command, &site, arguments).with_error(3);
        assert!(words.contains("the certificate's name \"site-1\" is no operator's"), "{words}");
    }
}

/// `tail -f` shows the lines of all sites of a job as they arrive, also of a site that begins later.
#[test]
fn tail_follows_sites_that_begin_later() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let logs = ["site-1", "site-2"].map(|site| {
        std::fs::create_dir(place.path(site)).unwrap();
        place.path(site).join("log.txt")
    });
    append(&logs[0], "one\n");
    let first = stream(&server.target(&place, "site-1"), "job-1", &[], &logs[0]);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "one\n");
    let mut command = fedtail(["tail", "--job", "job-1", "-f", "--server", &format!("http://{}", server.address)]);
    let tail = Process::start("tail", &mut command);
    tail.says("site-1 log.txt | one");
    append(&logs[1], "two\n");
    let second = stream(&server.target(&place, "site-2"), "job-1", &[], &logs[1]);
    tail.says("site-2 log.txt | two");
    append(&logs[0], "three\n");
    tail.says("site-1 log.txt | three");
    first.stop().with_code(0);
    second.stop().with_code(0);
}
