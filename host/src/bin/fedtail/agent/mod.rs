//! `fedtail agent`: streams the logs of all jobs that appear in a FLARE workspace, without a change to any of them.
//!
//! The workspace is looked at whenever something in it changes, and each poll interval. Nothing is remembered over a restart:
//! what the server has is asked of it for each log, as always.

mod job;
mod jobs;
mod selection;
mod sending;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::jobs::{Jobs, Terms};
use self::selection::Pattern;
use crate::config::Time;
use crate::exit::{Exit, Failure};
use crate::flare::Workspace;
use crate::{connection, control, out, signals};

/// FLARE's log of a job, and that of its errors; the others that it writes say the same in other forms.
const LOGS: [&str; 2] = ["log.txt", "error_log.txt"];
/// A training may be silent for minutes; and one that was taken for over goes on when it writes again.
const QUIET: Duration = Duration::from_mins(5);
/// As long as a server takes late lines by itself.
const MAX_AGE: Duration = Duration::from_hours(24);
/// Between two looks at least: a job that writes all the time must not have its directory read for each line.
const PAUSE: Duration = Duration::from_millis(100);

/// Stream the logs of all jobs that appear in a FLARE workspace, until told to stop. No job is changed.
///
/// A job is over when the process that FLARE started for it has ended, or its directory is gone; where no such process is
/// to be seen, as for jobs in containers, when it has been quiet for a time. What it writes after that is sent too.
#[derive(Args)]
pub struct Options {
    /// The site's workspace: the directory with `startup` and `local`, in which each job has a directory. If its
    /// local/resources.json has "allow_log_streaming": false, nothing is streamed for as long as that stands there.
    #[arg(long, value_name = "DIR")]
    workspace: PathBuf,
    /// A log's name in its job's directory, or a pattern such as '*.txt'; repeatable [default: log.txt and error_log.txt].
    #[arg(long = "log", value_name = "PATTERN")]
    logs: Vec<Pattern>,
    /// Where jobs have their logs, if FLARE was started with NVFL_LOG_ROOT: that directory, and in it the site's.
    #[arg(long, value_name = "DIR")]
    log_root: Option<PathBuf>,
    /// How long a job whose process can't be seen may write nothing until it is taken for over [default: 5m].
    #[arg(long, value_name = "TIME")]
    quiet: Option<Time>,
    /// Of jobs that are there already, leave those alone that have written nothing for this long [default: 24h].
    #[arg(long, value_name = "TIME")]
    max_age: Option<Time>,
    #[command(flatten)]
    connection: connection::Settings,
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let mut signals = signals::Ending::new()?;
    let hangup = control::Hangup::listen()?;
    let connection = options.connection.read()?;
    if connection.job.is_some() {
        return Err(Failure::usage("the agent takes each job's name from its directory: leave `job` out of the file"));
    }
    let poll_interval = connection.poll_interval();
    let workspace = Workspace { directory: options.workspace, log_root: options.log_root };
    workspace.jobs().map_err(|e| {
        let advice = "give the directory with `startup` and `local`";
        Failure::start(format!("the workspace {} cannot be read: {e}: {advice}", workspace.directory.display()))
    })?;
    let connection = connection.open()?;
    out::line(&connection.first_line);
    out::line(format_args!("watching {}", workspace.directory.display()));
    let site = connection.site.clone();
    hangup.reloads(move || site.reload_policies());
    let patterns = match options.logs {
        logs if logs.is_empty() => LOGS.iter().map(|log| log.parse().expect("a name is a pattern")).collect(),
        logs => logs,
    };
    let terms = Terms {
        patterns,
        quiet: options.quiet.map_or(QUIET, |time| time.0),
        max_age: options.max_age.map_or(MAX_AGE, |time| time.0),
        finish_timeout: connection.finish_timeout,
    };
    let (mut jobs, mut endings) = Jobs::new(connection.site.clone(), workspace, terms)?;
    loop {
        jobs.look();
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            () = jobs.changed() => {}
            () = tokio::time::sleep(poll_interval) => {}
            Some(ended) = endings.recv() => jobs.ended(ended),
            () = signals.next() => break,
        }
    }
    tokio::select! {
        () = jobs.drain(&mut endings) => {}
        () = signals.next() => {
            connection.flush();
            out::error("left at once, on a second signal: the server has what it had acknowledged");
            return Ok(Exit::GivenUp);
        }
    }
    connection.flush();
    Ok(jobs.worst())
}
