//! Connections that break in each way that connections break.

use std::path::PathBuf;
use std::time::Duration;

use fedtail_tests::{Job, Place, Process, Relay, Server, append, eventually_holds, lines, oracle, seeded, stream};

/// A server that gives up soon, a relay before it, and a job whose site goes through that.
struct Line {
    place: Place,
    server: Server,
    relay: Relay,
}

impl Line {
    fn new() -> Self {
        let place = Place::new();
        let server = Server::without_tls(&place, &["--idle-timeout", "1500ms"]);
        let relay = Relay::to(server.address);
        Self { place, server, relay }
    }

    fn site(&self) -> Process {
        let target = self.server.target_through(&self.relay, &self.place, "site-1");
        stream(&target, "job-1", &["--liveness-interval", "200ms"], &self.place.path("log.txt"))
    }

    fn stored(&self) -> PathBuf {
        self.place.stored("job-1", "site-1", "log.txt")
    }

    fn heal(&self) {
        self.relay.heal(self.server.address);
    }
}

/// A connection that is cut, held back (also for longer than the server waits), slowed down and half closed, again and
/// again, in the middle of work: at every moment a beginning, at the end identical.
#[test]
fn a_connection_that_breaks_in_every_way_stays_exact() {
    let (mut chance, seed) = seeded();
    let line = Line::new();
    let job = Job::start(line.place.path("log.txt"), 5_000);
    let site = line.site();
    let times = 15;
    for time in 0..times {
        let fault = chance.usize(0..5);
        let moment = format!("{seed}, fault {time} of {times}: {}", ["cut", "stall", "slow", "half", "long"][fault]);
        let before = oracle::read(&line.stored()).len() as u64;
        oracle::grows(&moment, &line.stored(), before + chance.u64(1..100_000));
        match fault {
            0 => line.relay.cut(),
            1 | 4 => line.relay.stall(),
            2 => line.relay.slow_down(),
            _ => line.relay.half_close(),
        }
        // How long it lasts is what is tried here: shorter and longer than the server's patience.
        let lasts = if fault == 4 { 1_600..1_900 } else { 0..400 };
        std::thread::sleep(Duration::from_millis(chance.u64(lasts)));
        oracle::is_beginning(&moment, &oracle::read(&line.stored()), &job.written());
        line.heal();
    }
    let written = job.ends();
    let exit = site.stop().with_code(0);
    exit.line(&format!("log.txt complete, {} bytes at the server", written.len()));
    eventually_holds(&line.stored(), &written);
}

/// A slow connection and a backlog: heartbeats don't wait behind the data, so the server's patience is not tried, and one
/// stream sends all.
#[test]
fn a_slow_connection_is_not_closed_as_idle() {
    let line = Line::new();
    // Bytes that do not compress, some seconds of them at the relay's pace.
    let mut chance = fastrand::Rng::with_seed(7);
    let written: Vec<u8> = std::iter::repeat_with(|| chance.u8(..)).take(1_200_000).collect();
    append(&line.place.path("log.txt"), &written);
    line.relay.slow_down();
    let site = line.site();
    oracle::grows("over a slow connection", &line.stored(), written.len() as u64);
    site.stop().with_code(0);
    eventually_holds(&line.stored(), &written);
    assert_eq!(line.server.endings(), [format!("ended job-1/site-1/log.txt complete, {} bytes", written.len())]);
}

/// A connection whose way to the server is closed while the other way stays open is given up, and another one made.
#[test]
fn a_half_closed_connection_is_replaced() {
    let line = Line::new();
    append(&line.place.path("log.txt"), "before\n");
    let site = line.site();
    eventually_holds(&line.stored(), "before\n");
    line.relay.half_close();
    append(&line.place.path("log.txt"), "after\n");
    eventually_holds(&line.stored(), "before\nafter\n");
    assert_eq!(line.relay.connections(), 2);
    site.stop().with_code(0);
    line.server.ended("job-1/site-1/log.txt", "complete, 13 bytes");
}

/// What an older connection still has on its way when the site has come back over a new one arrives afterwards, and is
/// refused: the log is identical, and one stream.
#[test]
fn bytes_of_an_older_connection_that_arrive_late_change_nothing() {
    let line = Line::new();
    let log = line.place.path("log.txt");
    let mut written = lines(100);
    append(&log, &written);
    let site = line.site();
    eventually_holds(&line.stored(), &written);
    // Held back from here on; then the site notices that nothing comes back, and opens the stream anew.
    line.relay.strand();
    let more: Vec<u8> = (1_000..1_500).flat_map(|number| fedtail_tests::line(number).into_bytes()).collect();
    append(&log, &more);
    written.extend(more);
    eventually_holds(&line.stored(), &written);
    assert_eq!(line.relay.connections(), 2);
    line.relay.release();
    append(&log, "after it\n");
    written.extend(b"after it\n");
    eventually_holds(&line.stored(), &written);
    site.stop().with_code(0);
    eventually_holds(&line.stored(), &written);
}
