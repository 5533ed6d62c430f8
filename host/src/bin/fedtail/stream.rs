//! `fedtail stream`: streams logs of one job to the server.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use fedtail::names::{JobName, LogName};
use fedtail::site::{Ending, LogFile, Outcome, Stream};
use fedtail::source::SourceError;

use crate::connection::{self, Connection};
use crate::exit::{Exit, Failure};
use crate::{config, control, out, signals};

/// What `stream` and `run` have in common.
#[derive(Args)]
pub struct Common {
    #[command(flatten)]
    connection: connection::Settings,
    /// The job that the logs belong to.
    #[arg(long, value_name = "JOB")]
    job: Option<JobName>,
}

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    common: Common,
    /// Send what is there, and end: a snapshot of the log.
    #[arg(long)]
    once: bool,
    /// The logs. Each need not exist yet, but its directory has to.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Common {
    /// Connects, and begins to stream the files.
    pub fn start(self, files: &[PathBuf], once: bool) -> Result<Started, Failure> {
        let options = self.connection.read()?;
        let job = config::needed(self.job.or_else(|| options.job.clone()), "--job")?;
        // Before anything is connected, so that this is all that is said.
        check(files, once)?;
        let connection = options.open()?;
        let mut streams = Vec::new();
        for file in files {
            let log = LogFile::new(file, job.clone());
            let stream = connection.site.stream(if once { log.once() } else { log })?;
            streams.push((format!("{job} {}", file.display()), stream));
        }
        Ok(Started { connection, streams })
    }
}

/// Streams that have begun.
pub struct Started {
    pub connection: Connection,
    /// Each with what to call it.
    pub streams: Vec<(String, Stream)>,
}

/// What can't be streamed is said now, not when the job has run.
fn check(files: &[PathBuf], once: bool) -> Result<(), Failure> {
    let mut names: HashMap<LogName, &Path> = HashMap::new();
    for file in files {
        readable(file, once)?;
        // A path without a readable name is refused when its stream begins.
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        if let Some(other) = names.insert(LogName::new(name)?, file) {
            return Err(Failure::usage(format!(
                "{} and {} would both be the log {name:?} of the job: rename one of them",
                other.display(),
                file.display()
            )));
        }
    }
    Ok(())
}

fn readable(file: &Path, once: bool) -> Result<(), Failure> {
    match std::fs::metadata(file) {
        Ok(found) if !found.is_file() => {
            Err(Failure::start(format!("{} is not a file: give the log itself", file.display())))
        }
        Ok(_) => match std::fs::File::open(file) {
            Ok(_) => Ok(()),
            Err(e) => Err(Failure::start(format!(
                "{} cannot be read: {e}: let this user read it, or run fedtail as one who can",
                file.display()
            ))),
        },
        // A log may appear later, in a directory that is there.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !once => {
            let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            match directory {
                Some(path) if !path.is_dir() => Err(Failure::start(SourceError::NotFound { path: path.into() })),
                _ => Ok(()),
            }
        }
        Err(e) => Err(Failure::start(format!("{}: {e}", file.display()))),
    }
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let mut signals = signals::Ending::new()?;
    let hangup = control::Hangup::listen()?;
    let started = options.common.start(&options.files, options.once)?;
    let connection = started.connection;
    out::line(&connection.first_line);
    let site = connection.site.clone();
    hangup.reloads(move || site.reload_policies());
    let mut streams = started.streams;
    let ended = tokio::select! {
        outcomes = ended(&mut streams) => Some(outcomes),
        () = signals.next() => None,
    };
    let outcomes = match ended {
        Some(outcomes) => outcomes,
        None => {
            let finished = finish(streams, connection.finish_timeout);
            tokio::select! {
                outcomes = finished => outcomes,
                () = signals.next() => {
                    connection.flush();
                    out::error("left at once, on a second signal: the server has what it had acknowledged");
                    return Ok(Exit::GivenUp);
                }
            }
        }
    };
    connection.flush();
    for (name, outcome) in &outcomes {
        out::line(format_args!("{name} {outcome}"));
    }
    Ok(worst(&outcomes))
}

/// Waits until each stream has ended by itself.
async fn ended(streams: &mut [(String, Stream)]) -> Vec<(String, Outcome)> {
    let mut outcomes = Vec::new();
    for (name, stream) in streams {
        outcomes.push((name.clone(), stream.ended().await));
    }
    outcomes
}

/// Stops all streams at the same time, and waits for each.
pub async fn finish(streams: Vec<(String, Stream)>, timeout: Option<Duration>) -> Vec<(String, Outcome)> {
    for (_, stream) in &streams {
        stream.request_stop();
    }
    // Side by side, so that each has all of the time, and says so.
    let finishing: Vec<_> = streams
        .into_iter()
        .map(|(name, mut stream)| {
            tokio::spawn(async move {
                let outcome = match timeout {
                    Some(timeout) => stream.finish(timeout).await,
                    None => stream.ended().await,
                };
                (name, outcome)
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for finished in finishing {
        match finished.await {
            Ok(outcome) => outcomes.push(outcome),
            // Nobody aborts these tasks, so it is a panic, and goes on as one.
            Err(defect) => std::panic::resume_unwind(defect.into_panic()),
        }
    }
    outcomes
}

/// The exit of the stream that went worst.
pub fn worst(outcomes: &[(String, Outcome)]) -> Exit {
    outcomes.iter().map(|(_, outcome)| Exit::from(outcome.ending)).max().unwrap_or(Exit::Complete)
}

/// Whether all went well.
pub fn all_complete(outcomes: &[(String, Outcome)]) -> bool {
    outcomes.iter().all(|(_, outcome)| outcome.ending == Ending::Complete)
}
