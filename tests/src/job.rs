//! A job that writes its log while the test does something to it, and knows what it wrote.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// How often lines are written: many a time, as a busy job's handler flushes them.
const TICK: Duration = Duration::from_millis(1);

/// A job that writes numbered lines at a steady pace.
pub struct Job {
    /// Its log.
    pub log: PathBuf,
    shared: Arc<Shared>,
    writer: JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    written: Mutex<Written>,
    changed: Condvar,
    over: AtomicBool,
    reopen: AtomicBool,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    lines: usize,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Job {
    /// Begins to append so many lines a second to the log, which it keeps open as a job does.
    pub fn start(log: PathBuf, lines_per_second: usize) -> Self {
        Self::rotating(log, lines_per_second, usize::MAX, |_| {})
    }

    /// The same, with a log that the job itself rotates whenever it has so many lines: `rotate` moves the file out of the
    /// way, and the job goes on with a new one.
    pub fn rotating(
        log: PathBuf,
        lines_per_second: usize,
        lines_a_file: usize,
        mut rotate: impl FnMut(&Path) + Send + 'static,
    ) -> Self {
        let shared = Arc::<Shared>::default();
        let (job, path) = (shared.clone(), log.clone());
        let writer = std::thread::spawn(move || {
            let mut file = open(&path);
            let (start, mut lines) = (Instant::now(), 0);
            while !job.over.load(Ordering::Relaxed) {
                if job.reopen.swap(false, Ordering::Relaxed) {
                    file = open(&path);
                }
                let due = start.elapsed().as_micros() as usize * lines_per_second / 1_000_000;
                while lines < due {
                    let line = line(lines);
                    // First noted and then written, so that what is found elsewhere is never ahead of this.
                    job.lock().bytes.extend_from_slice(line.as_bytes());
                    file.write_all(line.as_bytes()).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
                    lines += 1;
                    job.lock().lines = lines;
                    if lines.is_multiple_of(lines_a_file) {
                        rotate(&path);
                        file = open(&path);
                    }
                }
                job.changed.notify_all();
                // The pace is what is asked for here, so this waits for no event.
                std::thread::sleep(TICK);
            }
        });
        Self { log, shared, writer }
    }

    /// What it has written so far; the last line may not be in the file yet.
    pub fn written(&self) -> Vec<u8> {
        self.shared.lock().bytes.clone()
    }

    /// How many bytes it has written so far.
    pub fn len(&self) -> u64 {
        self.shared.lock().bytes.len() as u64
    }

    /// Whether it has written nothing yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Opens the log's name anew before its next lines, as a job does that was told of a rotation.
    pub fn reopens(&self) {
        self.shared.reopen.store(true, Ordering::Relaxed);
    }

    /// Waits until so many lines more were written.
    pub fn writes(&self, more: usize) {
        let start = Instant::now();
        let mut written = self.shared.lock();
        let until = written.lines + more;
        while written.lines < until {
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!left.is_zero() && !self.writer.is_finished(), "{} does not grow", self.log.display());
            written = self.shared.changed.wait_timeout(written, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends, and returns all that was written.
    pub fn ends(self) -> Vec<u8> {
        self.shared.over.store(true, Ordering::Relaxed);
        self.writer.join().expect("the job writes to its end");
        std::mem::take(&mut self.shared.lock().bytes)
    }
}

/// A line of a log, whose number tells it from all others. All have the same length.
pub fn line(number: usize) -> String {
    format!("2026-11-24 03:31:44 - INFO - round {number:010} of a training that goes on and on\n")
}

/// So many lines, from the first one on.
pub fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| line(number).into_bytes()).collect()
}

fn open(path: &Path) -> File {
    let file = File::options().append(true).create(true).open(path);
    file.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
