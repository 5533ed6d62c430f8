//! `fedtail demo`: a server and three sites on this machine, on the logs of a real run.
//!
//! The server and the sites are processes of this same program. The demo writes the sites' logs, reads the server's store
//! as anybody beside the server could, and compares at the end.

mod delay;
mod follow;
mod merged;
mod processes;
mod recording;
mod replay;
mod report;

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use self::follow::Follower;
use self::merged::Prefixes;
use self::processes::Processes;
use self::recording::{JOB, Log, ROTATED, SITES};
use self::report::{Report, Row};
use crate::exit::{Exit, Failure};
use crate::{out, signals};

/// How long the sites may take to open their streams. Policies are compiled at the first start, which a machine that is
/// busy does slowly.
const OPENING: Duration = Duration::from_secs(120);
/// How often to look whether they have.
const LOOK: Duration = Duration::from_millis(20);
/// The server's store, in the demo's directory.
const STORE: &str = "store";

/// What is said below the flags.
const HELP: &str = "\
The logs are those of a run of NVIDIA FLARE's hello-log-streaming at two sites; a third site writes those of the first \
once more. Everything happens in a directory for temporary files and on this machine's loopback, without TLS. A line's \
delay is the time from its append at the site until it can be read from the server's store.

Exit codes:
  0  every log in the server's store is byte for byte what was written
  1  one is not, or the demo failed; the reason is in the table or on standard error
  5  stopped before the end";

#[derive(Args)]
#[command(after_help = HELP)]
pub struct Options {
    /// How many times as fast as they were recorded the logs are written; at 1 the demo takes 15 seconds.
    #[arg(long, value_name = "FACTOR", default_value = "1.5", value_parser = speed)]
    speed: f64,
    /// Print the table at the end only.
    #[arg(short, long)]
    quiet: bool,
    /// Leave the logs and the store where they are, and say where.
    #[arg(long)]
    keep: bool,
}

/// Within bounds that keep the demo a demo: from half an hour to a moment.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (0.01..=1000.0).contains(&speed) => Ok(speed),
        _ => Err("give a number from 0.01 to 1000".into()),
    }
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let mut stopped = Stopped::new()?;
    let directory = tempfile::Builder::new().prefix("fedtail-demo-").tempdir().map_err(|e| {
        let place = std::env::temp_dir();
        Failure::start(format!("the demo cannot make a directory in {}: {e}; set TMPDIR to another", place.display()))
    })?;
    let mut processes = Processes::new(directory.path());
    let result = tokio::select! {
        result = play(&options, directory.path(), &mut processes) => result,
        () = stopped.next() => {
            out::note("stopped before the end; nothing was compared");
            Ok(Exit::GivenUp)
        }
    };
    processes.end().await;
    if options.keep {
        let kept = directory.keep();
        out::line(format_args!("kept: the sites' logs and the server's store, in {}", kept.display()));
    } else {
        let place = directory.path().to_owned();
        if let Err(e) = directory.close() {
            out::note(format_args!("{} was not deleted: {e}", place.display()));
        }
    }
    result
}

/// Signals that end the demo. What it started is not in the terminal's group, so also a terminal that is closed has to be
/// answered.
struct Stopped {
    ending: signals::Ending,
    hangup: Signal,
    quit: Signal,
}

impl Stopped {
    fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|e| Failure::start(format!("signals cannot be listened to: {e}")));
        let (hangup, quit) = (listen(SignalKind::hangup())?, listen(SignalKind::quit())?);
        Ok(Self { ending: signals::Ending::new()?, hangup, quit })
    }

    async fn next(&mut self) {
        tokio::select! {
            () = self.ending.next() => {}
            _ = self.hangup.recv() => {}
            _ = self.quit.recv() => {}
        }
    }
}

/// All of the demo, in `directory`.
async fn play(options: &Options, directory: &Path, processes: &mut Processes) -> Result<Exit, Failure> {
    let logs = recording::logs()?;
    let url = processes.start_server(Path::new(STORE)).await?;
    let store = directory.join(STORE);
    let mut paths = Vec::new();
    for (site, _) in SITES {
        let place = directory.join(site);
        std::fs::create_dir(&place).map_err(|e| Failure::start(format!("{} cannot be made: {e}", place.display())))?;
        let own = logs.iter().filter(|log| log.key.site.as_str() == site);
        let own: Vec<PathBuf> = own.map(|log| Path::new(site).join(&log.key.log)).collect();
        processes.start_site(site, &url, JOB, &own)?;
        paths.extend(own.iter().map(|log| directory.join(log)));
    }
    if !options.quiet {
        introduce(options.speed, directory, &processes.commands);
    }
    let follower = opened(&store, &logs, processes).await?;

    let (arrived, lines) = mpsc::channel();
    let prefixes = Prefixes::new(&logs);
    let printer = tokio::task::spawn_blocking(move || prefixes.print(lines));
    let end = Notify::new();
    let write = async {
        let appended = replay::replay(&logs, &paths, options.speed).await?;
        let complaints = processes.stop_sites().await?;
        end.notify_one();
        Ok((appended, complaints))
    };
    let arrived = (!options.quiet).then_some(arrived);
    let ((appended, complaints), seen) = tokio::try_join!(write, follower.follow(&end, arrived))?;
    printer.await.map_err(|e| Failure::start(format!("the lines could not be printed: {e}")))?;

    let marks = appended.iter().zip(&seen);
    let rows = logs.iter().zip(marks).map(|(log, (appended, seen))| Row {
        site: log.key.site.to_string(),
        log: log.key.log.to_string(),
        bytes: log.text.len(),
        lines: appended.len(),
        delays: delay::delays(appended, seen),
        comparison: report::compare(&store.join(&log.key.job).join(&log.key.site).join(&log.key.log), log.text),
        rotated: log.rotated,
    });
    let report = Report { rows: rows.collect() };
    if !options.quiet {
        out::line("");
    }
    out::line(&report);
    for complaint in &complaints {
        out::error(complaint);
    }
    Ok(if report.all_identical() && complaints.is_empty() { Exit::Complete } else { Exit::Failed })
}

/// What the demo is, before it begins.
fn introduce(speed: f64, directory: &Path, commands: &[String]) {
    let (site, log) = ROTATED;
    let times = if speed == 1.0 { "as fast as".into() } else { format!("{speed} times as fast as") };
    out::line("A server and three sites on this machine, without TLS: loopback only. Real sites use certificates.");
    out::line(format_args!(
        "The logs are those of a real run of NVIDIA FLARE at two sites, written again {times} then;"
    ));
    out::line(format_args!("site-3 writes those of site-1 once more. {site}'s {log} is rotated on the way."));
    out::line(format_args!("What runs now, in {}:", directory.display()));
    for command in commands {
        out::line(format_args!("  {command}"));
    }
    out::line("");
}

/// Waits until the sites have opened all streams, so that delays are those of lines and not of a start.
async fn opened(store: &Path, logs: &[Log], processes: &mut Processes) -> Result<Follower, Failure> {
    let waiting = async {
        loop {
            processes.all_running()?;
            if let Some(follower) = Follower::attach(store, logs)? {
                return Ok(follower);
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(OPENING, waiting).await.unwrap_or_else(|_| {
        Err(Failure::start(format!("after {OPENING:?} the sites have not opened all their streams")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_that_would_last_for_ever_or_is_none_is_refused() {
        assert_eq!(speed("1.5"), Ok(1.5));
        for bad in ["0", "-1", "0.001", "inf", "NaN", "1e300", "fast", ""] {
            assert_eq!(speed(bad).unwrap_err(), "give a number from 0.01 to 1000", "{bad}");
        }
    }
}
