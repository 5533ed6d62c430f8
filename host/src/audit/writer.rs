//! Writes entries from a thread of its own, so that no stream waits for the disk.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use tracing::error;

use super::AuditError;
use super::entry::{Entry, Source};
use super::file::AuditFile;
use crate::wire;

/// How often ranges are written while bytes flow.
pub const EVERY: Duration = Duration::from_secs(5);
/// How often a file that could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// Entries that wait for a file that can't be written; what is beyond is counted.
const MOST_WAITING: usize = 100_000;

/// A run of bytes of one log under one policy, all acknowledged or all not.
#[derive(Debug, Clone)]
pub struct Run {
    /// Job and log.
    pub log: Arc<str>,
    /// The policy's digest, as text.
    pub policy: Arc<str>,
    /// See [`Entry::Sent`].
    pub from: u64,
    /// See [`Entry::Sent`].
    pub to: u64,
    /// See [`Entry::Sent`].
    pub acknowledged: bool,
    /// See [`Entry::Sent`].
    pub source: Option<Source>,
}

/// The audit of a site. Dropping it writes what is left.
pub struct Audit {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// There is something to write, or it is over.
    wake: Condvar,
    /// Everything was written, or could not be.
    written: Condvar,
}

#[derive(Default)]
struct State {
    runs: HashMap<Arc<str>, (Run, SystemTime)>,
    waiting: Vec<(Entry, SystemTime)>,
    unrecorded: u64,
    /// Write all there is, runs too.
    flush: bool,
    /// Whether the thread is writing what it took.
    busy: bool,
    failing: bool,
    over: bool,
}

impl Audit {
    /// Goes on with this file, or begins it. No other process can have it open.
    pub fn open(path: &Path) -> Result<Arc<Self>, AuditError> {
        let file = AuditFile::open(path)?;
        let started = (Entry::Started { software: wire::SOFTWARE.into() }, SystemTime::now());
        let state = State { waiting: vec![started], ..State::default() };
        let shared = Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new(), written: Condvar::new() });
        let of_thread = shared.clone();
        let spawned = std::thread::Builder::new().name("fedtail-audit".into()).spawn(move || of_thread.write(file));
        let thread =
            spawned.map_err(|reason| AuditError::Io { file: path.into(), action: "written by a thread", reason })?;
        Ok(Arc::new(Self { shared, thread: Some(thread) }))
    }

    /// Adds an entry. `log` is the stream that it is about: its bytes are told before.
    pub fn add(&self, entry: Entry, log: Option<&str>) {
        let mut state = self.shared.lock();
        if let Some(run) = log.and_then(|log| state.runs.remove(log)) {
            state.push_run(run);
        }
        state.push(entry, SystemTime::now());
        self.shared.wake.notify_one();
    }

    /// Bytes left the site. Told together with those behind them.
    pub fn passed(&self, run: Run) {
        let mut state = self.shared.lock();
        if let Some((before, _)) = state.runs.get_mut(&run.log) {
            let goes_on =
                before.to == run.from && before.policy == run.policy && before.acknowledged == run.acknowledged;
            if goes_on {
                before.to = run.to;
                before.source = run.source.or(before.source);
                return;
            }
        }
        if let Some(before) = state.runs.insert(run.log.clone(), (run, SystemTime::now())) {
            state.push_run(before);
            self.shared.wake.notify_one();
        }
    }

    /// Waits until all that was told is in the file and flushed, or can't be written now.
    pub fn flush(&self) {
        let mut state = self.shared.lock();
        state.flush = true;
        self.shared.wake.notify_one();
        while (state.flush || state.busy) && !state.failing {
            state = self.shared.written.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that ended by a defect has said so.
            let _ = thread.join();
        }
    }
}

impl State {
    fn push(&mut self, entry: Entry, at: SystemTime) {
        if self.waiting.len() < MOST_WAITING {
            self.waiting.push((entry, at));
        } else {
            self.unrecorded += 1;
        }
    }

    fn push_run(&mut self, (run, since): (Run, SystemTime)) {
        let Run { log, policy, from, to, acknowledged, source } = run;
        let since = humantime::format_rfc3339_millis(since).to_string();
        let (log, policy) = (log.to_string(), policy.to_string());
        self.push(Entry::Sent { log, from, to, policy, acknowledged, since, source }, SystemTime::now());
    }

    fn push_runs(&mut self) {
        for (_, run) in std::mem::take(&mut self.runs) {
            self.push_run(run);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, mut file: AuditFile) {
        let mut due = Instant::now() + EVERY;
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            if due <= now || state.flush || state.over {
                state.push_runs();
                due = now + EVERY;
            }
            let over = state.over;
            let flush = std::mem::take(&mut state.flush);
            let mut entries = std::mem::take(&mut state.waiting);
            let unrecorded = std::mem::take(&mut state.unrecorded);
            if unrecorded > 0 {
                entries.push((Entry::Unrecorded { entries: unrecorded }, SystemTime::now()));
            }
            if !entries.is_empty() {
                state.busy = true;
                drop(state);
                let (written, result) = file.append(&entries);
                state = self.lock();
                state.busy = false;
                entries.drain(..written);
                let newer = std::mem::replace(&mut state.waiting, entries);
                for (entry, at) in newer {
                    state.push(entry, at);
                }
                if let Err(failure) = &result
                    && !std::mem::replace(&mut state.failing, true)
                {
                    error!("{failure}; streams go on, what is to be audited waits, and the file is tried again");
                }
                state.failing = result.is_err();
            }
            if flush || !state.failing {
                self.written.notify_all();
            }
            if over {
                return;
            }
            if state.failing {
                state = self.wait(state, AGAIN);
            } else if state.waiting.is_empty() && !state.flush && !state.over {
                state = self.wait(state, due.saturating_duration_since(Instant::now()));
            }
        }
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.wake.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }
}
