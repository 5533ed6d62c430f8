//! One job: which of its logs are there, which are on their way, and when it is over.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::time::{Duration, Instant, SystemTime};

use fedtail::names::{JobName, LogName};
use fedtail::site::Ending;
use fedtail::source::Subscription;
use tokio::sync::watch;

use super::selection::{Pattern, selected};
use super::sending::Told;
use crate::flare::streamer::Whose;
use crate::flare::{JobConfig, JobDirectory};

/// What shows that a log was written: its length, and when.
type Stamp = (u64, Option<SystemTime>);

/// How a log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Log {
    Streaming,
    /// Given up, since the site does not allow it any more; it begins again when the site does.
    Leaving,
    /// Its stream is over; it begins again when the log is written again.
    Ended(Stamp),
    /// Not ours to send, or not any more.
    Left,
}

/// A job that was found.
pub struct Job {
    pub name: JobName,
    pub directory: JobDirectory,
    logs: BTreeMap<LogName, Log>,
    /// Tells its streams.
    told: watch::Sender<Told>,
    /// The process that runs it was there at the last look.
    had_worker: bool,
    stamps: BTreeMap<LogName, Stamp>,
    /// What the stamps were when the streams were told to stop: a log that has another one was written since.
    stopped: BTreeMap<LogName, Stamp>,
    /// When a change was last noticed, and for how long there had been none when the job was found.
    changed: (Instant, Duration),
    _subscription: Subscription,
}

/// What a look at a job's logs has found.
pub struct Look {
    /// Logs that are to be streamed from now on.
    pub new: Vec<LogName>,
    /// Why the job is over, if it is.
    pub over: Option<String>,
}

impl Job {
    pub fn new(name: JobName, directory: JobDirectory, subscription: Subscription) -> Self {
        Self {
            name,
            directory,
            logs: BTreeMap::new(),
            told: watch::Sender::new(Told::GoOn),
            had_worker: false,
            stamps: BTreeMap::new(),
            stopped: BTreeMap::new(),
            changed: (Instant::now(), Duration::ZERO),
            _subscription: subscription,
        }
    }

    /// Looks at the logs. `quiet` is how long a job without a process of its own may write nothing before it is over.
    pub fn look(&mut self, patterns: &[Pattern], has_worker: bool, quiet: Duration) -> Look {
        let first = self.stamps.is_empty();
        let stamps = self.stamps(patterns);
        if stamps != self.stamps {
            let age = if first { age(&stamps) } else { Duration::ZERO };
            self.changed = (Instant::now(), age);
            self.stamps = stamps;
        }
        let is_gone = !self.directory.directory.exists();
        let ended = self.had_worker && !has_worker;
        self.had_worker = has_worker;
        let over = if is_gone {
            Some("its directory is gone".to_owned())
        } else if ended {
            Some("its process has ended".to_owned())
        } else if !has_worker && self.quiet() >= quiet {
            Some(format!("it has written nothing for {}", humantime::format_duration(quiet)))
        } else {
            None
        };
        let is_new = |(log, stamp): &(&LogName, &Stamp)| match self.logs.get(*log) {
            None => true,
            Some(Log::Ended(then)) => then != *stamp,
            Some(Log::Streaming | Log::Leaving | Log::Left) => false,
        };
        Look { new: self.stamps.iter().filter(is_new).map(|(log, _)| log.clone()).collect(), over }
    }

    /// For how long no log was written.
    pub fn quiet(&self) -> Duration {
        self.changed.0.elapsed().saturating_add(self.changed.1)
    }

    /// Whether a log is on its way.
    pub fn is_streaming(&self) -> bool {
        self.logs.values().any(|log| matches!(log, Log::Streaming | Log::Leaving))
    }

    /// A log's stream has begun. Returns what it is told by.
    pub fn begun(&mut self, log: LogName) -> watch::Receiver<Told> {
        // Streams that were told to end are told nothing more.
        if *self.told.borrow() != Told::GoOn {
            self.told = watch::Sender::new(Told::GoOn);
        }
        self.logs.insert(log, Log::Streaming);
        self.told.subscribe()
    }

    /// A log is not sent, now and later.
    pub fn leave(&mut self, log: LogName) {
        self.logs.insert(log, Log::Left);
    }

    /// Tells the streams to send the rest and to end. Says whether that is new to them.
    pub fn stop(&mut self) -> bool {
        let is_new = self.is_streaming() && *self.told.borrow() == Told::GoOn;
        if is_new {
            self.stopped = self.stamps.clone();
            self.told.send_replace(Told::Stop);
        }
        is_new
    }

    /// Gives the streams up: nothing more is sent.
    pub fn give_up(&mut self, reason: &str) {
        for log in self.logs.values_mut().filter(|log| **log == Log::Streaming) {
            *log = Log::Leaving;
        }
        self.told.send_replace(Told::Leave(reason.to_owned()));
    }

    /// A log's stream has ended. Says whether it had been given up here.
    pub fn ended(&mut self, log: LogName, ending: Ending) -> bool {
        let given_up = self.logs.remove(&log) == Some(Log::Leaving);
        let goes_on = match ending {
            Ending::Complete | Ending::Incomplete | Ending::Aborted | Ending::TimedOut => {
                Log::Ended(self.stopped.get(&log).copied().unwrap_or_default())
            }
            Ending::Refused | Ending::Superseded | Ending::Failed => Log::Left,
        };
        // What was given up is new when it may be sent again.
        if !given_up {
            self.logs.insert(log, goes_on);
        }
        given_up
    }

    /// Whether the job declares fedtail's streamer of this log: two that send the same would take turns. What FLARE's own
    /// sends goes elsewhere.
    pub fn streams_itself(&self, log: &LogName) -> bool {
        let text = std::fs::read_to_string(&self.directory.config).ok();
        let config = text.and_then(|text| JobConfig::new(text).ok());
        config.is_some_and(|config| config.streamers_of(log.as_str()).any(|whose| whose == Whose::Ours))
    }

    fn stamps(&self, patterns: &[Pattern]) -> BTreeMap<LogName, Stamp> {
        // A directory that is not there yet, or not any more, has no logs.
        let entries = std::fs::read_dir(&self.directory.logs).into_iter().flatten().flatten();
        let found: BTreeMap<String, Metadata> = entries
            .filter_map(|entry| {
                // Not through a link: a job's code could lead it to a file that is not the job's to show.
                let metadata = entry.metadata().ok().filter(Metadata::is_file)?;
                Some((entry.file_name().into_string().ok()?, metadata))
            })
            .collect();
        let names: BTreeSet<&str> = found.keys().map(String::as_str).collect();
        let logs = selected(patterns, &names).into_iter();
        logs.filter_map(|name| {
            let stamp = (found[name].len(), found[name].modified().ok());
            Some((LogName::new(name).ok()?, stamp))
        })
        .collect()
    }
}

/// How long ago the youngest was written.
fn age(stamps: &BTreeMap<LogName, Stamp>) -> Duration {
    let youngest = stamps.values().filter_map(|(_, modified)| *modified).max();
    youngest.and_then(|time| SystemTime::now().duration_since(time).ok()).unwrap_or_default()
}
