//! Processes whose words can be waited for.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process};

use crate::PATIENCE;

#[derive(Default)]
struct Seen {
    out: Vec<String>,
    err: Vec<String>,
    /// Of the two streams of output, how many have ended.
    ended: usize,
    /// As a shell says it: 128 and the signal where one ended the process.
    code: Option<i32>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// A running process. It is killed, by its id, when this is dropped.
pub struct Process {
    name: String,
    pid: Pid,
    shared: Arc<Shared>,
}

impl Process {
    /// Starts a command; `name` is what messages call it.
    pub fn start(name: &str, command: &mut Command) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap_or_else(|e| panic!("{name} cannot be started: {e}"));
        let shared = Arc::<Shared>::default();
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("the id of a process");
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        read(stdout.expect("a pipe"), shared.clone(), |seen| &mut seen.out);
        read(stderr.expect("a pipe"), shared.clone(), |seen| &mut seen.err);
        let waiting = shared.clone();
        std::thread::spawn(move || {
            let status = child.wait().expect("a child can be waited for");
            let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
            waiting.note(|seen| seen.code = code);
        });
        Self { name: name.into(), pid, shared }
    }

    /// Its id.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// What messages call it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Waits for a line with these words on standard output or standard error, and returns it.
    pub fn says(&self, words: &str) -> String {
        self.says_often(words, 1).pop().expect("one line at least")
    }

    /// Waits until so many lines have these words.
    pub fn says_often(&self, words: &str, times: usize) -> Vec<String> {
        self.until(&format!("did not say {words:?} {times} times"), |seen| {
            let lines: Vec<_> = seen.out.iter().chain(&seen.err).filter(|l| l.contains(words)).cloned().collect();
            (lines.len() >= times).then_some(lines)
        })
    }

    /// The lines that have these words so far.
    pub fn said(&self, words: &str) -> Vec<String> {
        let seen = self.shared.lock();
        seen.out.iter().chain(&seen.err).filter(|line| line.contains(words)).cloned().collect()
    }

    /// Whether it has ended.
    pub fn is_over(&self) -> bool {
        self.shared.lock().code.is_some()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        // Under the lock, so that a process that has ended, whose id may be another's now, gets none.
        let seen = self.shared.lock();
        if seen.code.is_none() {
            kill_process(self.pid, signal).unwrap_or_else(|e| panic!("{} gets no signal: {e}", self.name));
        }
    }

    /// Kills it as `kill -9` does, and waits until it is gone.
    pub fn kill(self) -> Exit {
        self.signal(Signal::KILL);
        self.ends()
    }

    /// Asks it to end with SIGTERM, and waits until it has.
    pub fn stop(self) -> Exit {
        self.signal(Signal::TERM);
        self.ends()
    }

    /// Waits until it has ended by itself.
    pub fn ends(self) -> Exit {
        self.until("did not end", |seen| {
            let code = seen.code.filter(|_| seen.ended == 2)?;
            Some(Exit { name: self.name.clone(), code, out: seen.out.clone(), err: seen.err.clone() })
        })
    }

    fn until<T>(&self, otherwise: &str, done: impl Fn(&Seen) -> Option<T>) -> T {
        let start = Instant::now();
        let mut seen = self.shared.lock();
        loop {
            if let Some(result) = done(&seen) {
                return result;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!left.is_zero(), "{} {otherwise} within {PATIENCE:?}; {}", self.name, shown(&seen));
            // What has ended says nothing more.
            assert!(
                seen.code.is_none() || seen.ended < 2,
                "{} {otherwise} before it ended; {}",
                self.name,
                shown(&seen)
            );
            let waited = self.shared.changed.wait_timeout(seen, left);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let seen = self.shared.lock();
        if seen.code.is_none() {
            // One that ends at this moment needs no signal.
            let _ = kill_process(self.pid, Signal::KILL);
        }
        if std::thread::panicking() {
            eprintln!("--- {}: {}", self.name, shown(&seen));
        }
    }
}

fn read(pipe: impl Read + Send + 'static, shared: Arc<Shared>, lines: fn(&mut Seen) -> &mut Vec<String>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).split(b'\n') {
            let Ok(line) = line else { break };
            let line = String::from_utf8_lossy(&line).into_owned();
            shared.note(|seen| lines(seen).push(line));
        }
        shared.note(|seen| seen.ended += 1);
    });
}

fn shown(seen: &Seen) -> String {
    let Seen { out, err, code, .. } = seen;
    let state = code.map_or("still running".to_owned(), |code| format!("exit code {code}"));
    format!("{state}\n  standard output:\n    {}\n  standard error:\n    {}", out.join("\n    "), err.join("\n    "))
}

/// A process that has ended.
#[derive(Debug)]
pub struct Exit {
    name: String,
    /// Its exit code; 128 and the number of the signal that ended it, where one did.
    pub code: i32,
    /// The lines of its standard output.
    pub out: Vec<String>,
    /// The lines of its standard error.
    pub err: Vec<String>,
}

impl Exit {
    /// Fails unless this is the code.
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "the exit code of {}; {self:#?}", self.name);
        self
    }

    /// Fails unless it ended with this code and one line on standard error, as the program says why it did not start.
    /// Returns the line's words.
    pub fn with_error(self, code: i32) -> String {
        let this = self.with_code(code);
        let [line] = &this.err[..] else { panic!("one line was to say why: {this:#?}") };
        let words = line.strip_prefix("fedtail: error: ").unwrap_or_else(|| panic!("an error was to be said: {line}"));
        words.to_owned()
    }

    /// The one line of its output, on either stream, that has these words.
    pub fn line(&self, words: &str) -> &str {
        let lines: Vec<_> = self.out.iter().chain(&self.err).filter(|line| line.contains(words)).collect();
        let [line] = lines[..] else { panic!("one line was to have {words:?}: {self:#?}") };
        line
    }
}
