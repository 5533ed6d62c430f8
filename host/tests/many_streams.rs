//! Many live streams go over to another policy while their logs are written: nothing is lost, nothing comes twice, and the
//! longest pause of one stream is printed.
//!
//! `FEDTAIL_STREAMS=1000 cargo test --release -p fedtail --test many_streams -- --nocapture` measures what the README
//! promises; without the variable it is a test of a size that any machine bears.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fedtail::names::{JobName, SiteName};
use fedtail::policy::set::{Origin, PolicyEvent};
use fedtail::server::Server;
use fedtail::site::{Ending, LogFile, Site};
use fedtail::transport::InProcess;
use guest_build::GuestBuild;

/// Lines of all logs together in a second.
const LINES_PER_SECOND: u64 = 20_000;
/// How often each log has a line written.
const EACH: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(120);

/// The built-in streamer with another digest: a custom section, which changes nothing, is put behind it.
fn variant(mark: u8) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guest = GuestBuild::new(root, &root.join("target")).unwrap().build("fedtail-guest-streamer").unwrap();
    [guest.component(), &[0, 3, 1, b'v', mark]].concat()
}

fn replace(file: &Path, bytes: &[u8]) {
    let draft = file.with_extension("draft");
    std::fs::write(&draft, bytes).unwrap();
    std::fs::rename(&draft, file).unwrap();
}

/// Writes a line to each log in turn, evenly over the time, until told to stop. Returns the lines of each log, and how long
/// it took.
fn write(directory: &Path, logs: usize, over: &AtomicBool) -> (usize, Duration) {
    let open = |number| std::fs::OpenOptions::new().append(true).open(directory.join(format!("{number}.log"))).unwrap();
    let mut files: Vec<_> = (0..logs).map(open).collect();
    let lines_at_once = (LINES_PER_SECOND * u64::try_from(EACH.as_millis()).unwrap() / 1000 / logs as u64).clamp(1, 10);
    let begun = Instant::now();
    let mut rounds = 0;
    while !over.load(Ordering::Relaxed) {
        for (number, file) in files.iter_mut().enumerate() {
            let mut text = String::new();
            for line in 0..lines_at_once {
                text += &format!(
                    "log {number} round {rounds} line {line}: what a training job says in about so many bytes\n"
                );
            }
            file.write_all(text.as_bytes()).unwrap();
        }
        rounds += 1;
        // The pace of the writers.
        std::thread::sleep((EACH * rounds).saturating_sub(begun.elapsed()));
    }
    (usize::try_from(rounds).unwrap() * usize::try_from(lines_at_once).unwrap(), begun.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_live_streams_change_their_policy_and_lose_nothing() {
    let streams: usize = std::env::var("FEDTAIL_STREAMS").map_or(40, |number| number.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (store, logs) = (directory.path().join("store"), directory.path().join("logs"));
    let policies = directory.path().join("policies");
    std::fs::create_dir(&logs).unwrap();
    std::fs::create_dir(&policies).unwrap();
    let policy = policies.join("p.wasm");
    replace(&policy, &variant(0));
    let server = Server::builder(&store).start().unwrap();
    let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
    let site = Site::builder(InProcess::new(&server, SiteName::new("site").unwrap()))
        .policies(Origin::at(&policy))
        .on_policy(move |event| told.send(event.clone()).unwrap_or_default())
        .start()
        .unwrap();
    let job = JobName::new("job").unwrap();
    let mut running = Vec::new();
    for number in 0..streams {
        let log = logs.join(format!("{number}.log"));
        std::fs::write(&log, "").unwrap();
        running.push(site.stream(LogFile::new(&log, job.clone())).unwrap());
    }
    let over = Arc::new(AtomicBool::new(false));
    let writer = {
        let (logs, over) = (logs.clone(), over.clone());
        std::thread::spawn(move || write(&logs, streams, &over))
    };
    let mut commits = server.commits();
    while *commits.borrow_and_update() < 20 * streams as u64 {
        tokio::time::timeout(PATIENCE, commits.changed()).await.expect("lines are stored").unwrap();
    }
    let begun = Instant::now();
    replace(&policy, &variant(1));
    let mut pauses = Vec::new();
    while pauses.len() < streams {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        match event.unwrap_or_else(|_| panic!("{} of {streams} streams have changed", pauses.len())).unwrap() {
            PolicyEvent::Swapped { pause, .. } => pauses.push(pause),
            PolicyEvent::Loaded { .. } => {}
            event => panic!("{event}"),
        }
    }
    let took = begun.elapsed();
    over.store(true, Ordering::Relaxed);
    let (lines, wrote) = writer.join().unwrap();
    for stream in running {
        let outcome = stream.finish(PATIENCE).await;
        assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    }
    for number in 0..streams {
        let name = format!("{number}.log");
        let (sent, stored) =
            (std::fs::read(logs.join(&name)).unwrap(), std::fs::read(store.join("job/site").join(&name)));
        assert!(sent == stored.unwrap(), "{name} is other at the server");
        assert_eq!(sent.iter().filter(|byte| **byte == b'\n').count(), lines);
    }
    pauses.sort();
    println!(
        "{streams} streams, {:.0} lines a second in total; all changed {took:.2?} after the file; pauses: median {:.2?}, 99 % \
         {:.2?}, longest {:.2?}",
        (lines * streams) as f64 / wrote.as_secs_f64(),
        pauses[streams / 2],
        pauses[streams * 99 / 100],
        pauses[streams - 1]
    );
}
