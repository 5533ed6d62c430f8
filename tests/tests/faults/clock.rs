//! Clocks that are wrong, and that jump: libfaketime gives them to one process.
//!
//! `cargo xtask test` installs it where it can, and says so where it can't; these tests then do nothing, and say so.

use std::fs;
use std::path::Path;
use std::process::Command;

use fedtail_tests::{Job, Place, Process, Server, Target, eventually_holds, fedtail, oracle, unused_address};

/// Debian's, of 64 bits.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1"];

/// A clock for processes, which a test can set.
struct Clock {
    file: std::path::PathBuf,
    library: &'static str,
}

impl Clock {
    fn new(place: &Place, name: &str, offset: &str) -> Option<Self> {
        let Some(library) = LIBRARIES.into_iter().find(|library| Path::new(library).exists()) else {
            println!("skipped: libfaketime is not installed, see `cargo xtask test`");
            return None;
        };
        let clock = Self { file: place.path(name), library };
        clock.set(offset);
        Some(clock)
    }

    /// How far from the true time it is from now on.
    fn set(&self, offset: &str) {
        // In one step, for whoever reads it at this moment.
        let new = self.file.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &self.file).unwrap();
    }

    fn given_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("LD_PRELOAD", self.library).env("FAKETIME_TIMESTAMP_FILE", &self.file);
        // Only what people call the clock: what counts seconds since the start goes on, as it does when a clock is set.
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1")
    }
}

fn site(clock: &Clock, address: std::net::SocketAddr, log: &Path) -> Process {
    let mut command = fedtail(["stream", "--job", "job-1", "--poll-interval", "200ms"]);
    command.args(Target::without_tls(address, "site-1").flags()).arg(log);
    Process::start("the site", clock.given_to(&mut command))
}

fn server(clock: &Clock, address: std::net::SocketAddr, place: &Place) -> Server {
    let mut command = fedtail(["server", "--idle-timeout", "12s", "--listen", &address.to_string(), "--store"]);
    Server::listening(Process::start("the server", clock.given_to(command.arg(place.store()))))
}

/// Clocks that jump years to and fro at both sides while lines flow and the log is rotated change nothing in a running
/// stream: identical, and nobody is taken for dead.
#[test]
fn clocks_that_jump_do_not_touch_a_running_stream() {
    let place = Place::new();
    let clocks = [Clock::new(&place, "site-clock", "+0"), Clock::new(&place, "server-clock", "+0")];
    let [Some(at_site), Some(at_server)] = clocks else { return };
    let address = unused_address();
    let server = server(&at_server, address, &place);
    let mut times = 0;
    let job = Job::rotating(place.path("log.txt"), 2_000, 500, move |log| {
        times += 1;
        fs::rename(log, log.with_file_name(format!("log.txt.{times}"))).unwrap();
    });
    let site = site(&at_site, address, &job.log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    for offset in ["+4000d", "-4000d", "+1h", "-1h", "+0"] {
        at_site.set(offset);
        let before = oracle::read(&stored).len() as u64;
        oracle::grows(&format!("the site's clock at {offset}"), &stored, before + 40_000);
        at_server.set(offset);
        let before = oracle::read(&stored).len() as u64;
        oracle::grows(&format!("the server's clock at {offset}"), &stored, before + 40_000);
    }
    let written = job.ends();
    site.stop().with_code(0);
    eventually_holds(&stored, &written);
    assert_eq!(server.endings(), [format!("ended job-1/site-1/log.txt complete, {} bytes", written.len())]);
}

/// A site and a server that disagree about the time by ten years, both killed and started again on clocks that are wrong in
/// other ways: identical.
#[test]
fn clocks_that_disagree_over_restarts_stay_exact() {
    let place = Place::new();
    let clocks = [Clock::new(&place, "site-clock", "+3650d"), Clock::new(&place, "server-clock", "-3650d")];
    let [Some(at_site), Some(at_server)] = clocks else { return };
    let address = unused_address();
    let job = Job::start(place.path("log.txt"), 2_000);
    let stored = place.stored("job-1", "site-1", "log.txt");
    let mut written_at = 0;
    for offset in ["-3650d", "+0", "+3650d"] {
        let server = server(&at_server, address, &place);
        let site = site(&at_site, address, &job.log);
        oracle::grows(&format!("the site's clock at {offset}"), &stored, written_at + 40_000);
        site.kill();
        server.process.kill();
        written_at = oracle::read(&stored).len() as u64;
        oracle::is_beginning(&format!("the site's clock at {offset}"), &oracle::read(&stored), &job.written());
        at_site.set(offset);
        at_server.set("-1d");
    }
    let server = server(&at_server, address, &place);
    let site = site(&at_site, address, &job.log);
    oracle::grows("at the end", &stored, written_at + 1);
    let written = job.ends();
    site.stop().with_code(0);
    eventually_holds(&stored, &written);
    server.process.says("ended job-1/site-1/log.txt complete");
}
