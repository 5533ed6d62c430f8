//! Processes that are killed while lines flow.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fedtail_tests::{PATIENCE, Place, Relay, Server, append, eventually_holds, stream};

/// A job that writes lines without pause.
struct Job {
    log: PathBuf,
    over: Arc<AtomicBool>,
    lines: Arc<AtomicUsize>,
    writer: JoinHandle<String>,
}

impl Job {
    fn start(log: PathBuf) -> Self {
        let (over, lines) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (told, counted, file) = (over.clone(), lines.clone(), log.clone());
        let writer = std::thread::spawn(move || {
            let mut all = String::new();
            while !told.load(Ordering::Relaxed) {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                let line = format!("2026-11-24 03:31:44 - INFO - round {number} of a training that goes on and on\n");
                append(&file, &line);
                all += &line;
                // The pace of a busy log; without a pause the disk would fill while a process starts.
                std::thread::sleep(Duration::from_micros(200));
            }
            all
        });
        Self { log, over, lines, writer }
    }

    /// Waits until so many lines more were written.
    fn writes(&self, more: usize) {
        let until = self.lines.load(Ordering::Relaxed) + more;
        let start = Instant::now();
        while self.lines.load(Ordering::Relaxed) < until {
            assert!(start.elapsed() < PATIENCE, "{} does not grow", self.log.display());
            std::thread::yield_now();
        }
    }

    /// Ends, and returns all that was written.
    fn ends(self) -> String {
        self.over.store(true, Ordering::Relaxed);
        self.writer.join().expect("the job writes to its end")
    }
}

/// A server that is killed, twice, and started again on its store goes on where it stood: the log is identical.
#[test]
fn a_server_killed_while_lines_flow_goes_on_identically() {
    let place = Place::new();
    let mut server = Server::with_tls(&place, &[]);
    let relay = Relay::to(server.address);
    let job = Job::start(place.path("log.txt"));
    let site = stream(&server.target_through(&relay, &place, "site-1"), "job-1", &[], &job.log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    for _ in 0..2 {
        let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
        grows(&stored, before + 10_000);
        server.process.kill();
        relay.cut();
        job.writes(500);
        server = Server::with_tls(&place, &[]);
        relay.heal(server.address);
    }
    let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
    grows(&stored, before + 10_000);
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
    let job = Job::start(place.path("log.txt"));
    let target = server.target(&place, "site-1");
    let stored = place.stored("job-1", "site-1", "log.txt");
    let mut site = stream(&target, "job-1", &[], &job.log);
    for _ in 0..2 {
        let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
        grows(&stored, before + 10_000);
        site.kill();
        job.writes(500);
        site = stream(&target, "job-1", &[], &job.log);
    }
    let before = std::fs::metadata(&stored).map_or(0, |found| found.len());
    grows(&stored, before + 10_000);
    let all = job.ends();
    site.stop().with_code(0);
    eventually_holds(&stored, &all);
    server.process.says("ended job-1/site-1/log.txt complete");
    assert_eq!(server.endings().len(), 3, "one for each stream: {:#?}", server.endings());
}

/// Waits until the file has so many bytes.
fn grows(path: &std::path::Path, bytes: u64) {
    let start = Instant::now();
    while std::fs::metadata(path).map_or(0, |found| found.len()) < bytes {
        assert!(start.elapsed() < PATIENCE, "{} does not get {bytes} bytes", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}
