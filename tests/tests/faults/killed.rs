//! Processes that are killed with SIGKILL, again and again, at moments that chance picks.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fedtail_tests::{
    Job, Place, Process, Server, Target, append, eventually_holds, lines, oracle, seeded, stream, unused_address,
};

/// A busy job's pace.
const LINES_PER_SECOND: usize = 5000;

/// A server and a site that can be killed and started again, each where it was.
struct Pair {
    place: Place,
    address: SocketAddr,
    log: PathBuf,
    server: Option<Server>,
    site: Option<Process>,
}

impl Pair {
    fn start(place: Place, log: PathBuf) -> Self {
        let mut this = Self { place, address: unused_address(), log, server: None, site: None };
        this.start_server();
        this.start_site();
        this
    }

    fn start_server(&mut self) {
        self.server = Some(Server::at(self.address, &self.place, &[]));
    }

    fn start_site(&mut self) {
        self.site = Some(stream(&Target::without_tls(self.address, "site-1"), "job-1", &[], &self.log));
    }

    fn kill_server(&mut self) {
        self.server.take().expect("a server that runs").process.kill().with_code(128 + 9);
    }

    fn kill_site(&mut self) {
        self.site.take().expect("a site that runs").kill().with_code(128 + 9);
    }

    fn stored(&self) -> PathBuf {
        self.place.stored("job-1", "site-1", "log.txt")
    }

    /// Ends the site, which sends all that is left first, and compares every byte.
    fn ends(self, written: &[u8]) {
        let stored = self.stored();
        let site = self.site.expect("a site that runs");
        // Before that a signal has its default effect.
        site.says("streaming to ");
        let exit = site.stop().with_code(0);
        exit.line(&format!("log.txt complete, {} bytes at the server", written.len()));
        eventually_holds(&stored, written);
        self.server.expect("a server that runs").process.says("ended job-1/site-1/log.txt complete");
    }
}

/// Which of the two are killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Server,
    Site,
    Both,
}

/// Kills the victim `times` times while the job writes. What the server has at each of these moments is a beginning of
/// what the job wrote, and at the end it is all of it.
fn killed_while_lines_flow(times: usize, victim: impl Fn(&mut fastrand::Rng) -> Victim) {
    let (mut chance, seed) = seeded();
    let place = Place::new();
    let job = Job::start(place.path("log.txt"), LINES_PER_SECOND);
    let mut pair = Pair::start(place, job.log.clone());
    for time in 0..times {
        let victim = victim(&mut chance);
        let moment = format!("{seed}, kill {time} of {times}, {victim:?}");
        if chance.bool() {
            // In the middle of work.
            let before = oracle::read(&pair.stored()).len() as u64;
            oracle::grows(&moment, &pair.stored(), before + chance.u64(1..200_000));
        } else {
            // At any moment, also before it has connected.
            std::thread::sleep(Duration::from_millis(chance.u64(0..300)));
        }
        if matches!(victim, Victim::Server | Victim::Both) {
            pair.kill_server();
        }
        if matches!(victim, Victim::Site | Victim::Both) {
            pair.kill_site();
        }
        let stored = oracle::read(&pair.stored());
        oracle::is_beginning(&moment, &stored, &job.written());
        job.writes(chance.usize(0..1000));
        if pair.server.is_none() {
            pair.start_server();
        }
        if pair.site.is_none() {
            pair.start_site();
        }
    }
    let written = job.ends();
    pair.ends(&written);
}

/// A server that is killed again and again while lines flow: at every moment a beginning, at the end identical.
#[test]
fn a_server_killed_again_and_again_while_lines_flow_has_a_beginning_and_then_all() {
    killed_while_lines_flow(8, |_| Victim::Server);
}

/// A site that is killed again and again while lines flow: the same.
#[test]
fn a_site_killed_again_and_again_while_lines_flow_sends_each_byte_once() {
    killed_while_lines_flow(8, |_| Victim::Site);
}

/// Either of them, or both at the same time: the same.
#[test]
fn both_killed_again_and_again_while_lines_flow_stay_exact() {
    killed_while_lines_flow(8, |chance| match chance.u8(0..3) {
        0 => Victim::Server,
        1 => Victim::Site,
        _ => Victim::Both,
    });
}

/// A backlog, sent as fast as it goes, and both sides killed in the middle of it: at every moment a beginning, at the end
/// identical.
#[test]
fn both_killed_again_and_again_in_a_backlog_stay_exact() {
    let (mut chance, seed) = seeded();
    let place = Place::new();
    let log = place.path("log.txt");
    // Some 80 MB: what goes through between two kills is a small part of it.
    let written = lines(1_000_000);
    append(&log, &written);
    let mut pair = Pair::start(place, log);
    let kills = 6;
    for time in 0..kills {
        let moment = format!("{seed}, kill {time} of {kills} in a backlog");
        let before = oracle::read(&pair.stored()).len() as u64;
        oracle::grows(&moment, &pair.stored(), (before + chance.u64(1..5_000_000)).min(written.len() as u64));
        let (server, site) = [(true, false), (false, true), (true, true)][chance.usize(0..3)];
        if server {
            pair.kill_server();
        }
        if site {
            pair.kill_site();
        }
        oracle::is_beginning(&moment, &oracle::read(&pair.stored()), &written);
        if server {
            pair.start_server();
        }
        if site {
            pair.start_site();
        }
    }
    pair.ends(&written);
}
