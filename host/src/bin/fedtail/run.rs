//! `fedtail run`: runs a job's command, and streams its logs while it runs and until they are stored.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::exit::{Exit, Failure};
use crate::flare::{self, Permission};
use crate::{out, stream};

/// How long the last lines may take to reach the server, unless it is set: a job's slot is not held for ever because
/// the server is away. What was not taken by then can be sent with `fedtail stream --once`.
const FINISH: Duration = Duration::from_secs(60);

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    common: stream::Common,
    /// The logs that the command writes. Each need not exist yet, but its directory has to.
    #[arg(long = "log", required = true, value_name = "FILE", num_args = 1..)]
    logs: Vec<PathBuf>,
    /// The site's workspace, where the command is a FLARE job: if its local/resources.json has "allow_log_streaming": false,
    /// the command is run and nothing is streamed.
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// The command and its arguments, after `--`.
    #[arg(required = true, last = true, value_name = "CMD")]
    command: Vec<String>,
}

/// Signals that are handed on to the command; it decides what they mean.
const HANDED_ON: [(SignalKind, Signal); 6] = [
    (SignalKind::terminate(), Signal::TERM),
    (SignalKind::interrupt(), Signal::INT),
    (SignalKind::hangup(), Signal::HUP),
    (SignalKind::quit(), Signal::QUIT),
    (SignalKind::user_defined1(), Signal::USR1),
    (SignalKind::user_defined2(), Signal::USR2),
];

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let mut signals = listen()?;
    // What is said goes to standard error: standard output is the command's.
    let started = match options.workspace.as_deref().map_or(Permission::Given, flare::permission) {
        Permission::Given => {
            let started = options.common.start(&options.logs, false)?;
            out::note(&started.connection.first_line);
            Some(started)
        }
        Permission::Awaited(reason) | Permission::Denied(reason) => {
            out::note(format_args!("nothing is streamed: {reason}"));
            None
        }
    };
    let (program, arguments) = options.command.split_first().expect("clap requires a command");
    let child = Command::new(program).args(arguments).spawn().map_err(|e| Failure {
        // The shell's codes for a command that is not there, or can't be run.
        exit: Exit::Command(if e.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }),
        words: format!("the command {program:?} cannot be started: {e}"),
    })?;
    let status = wait(child, &mut signals).await?;
    let Some(started) = started else { return Ok(Exit::Command(code(status))) };
    let timeout = started.connection.finish_timeout.unwrap_or(FINISH);
    let outcomes = stream::finish(started.streams, Some(timeout)).await;
    started.connection.flush();
    for (name, outcome) in &outcomes {
        out::note(format_args!("{name} {outcome}"));
    }
    if !stream::all_complete(&outcomes) {
        out::note("not all logs are complete at the server; send what is left with `fedtail stream --once`");
    }
    Ok(Exit::Command(code(status)))
}

/// One channel for all signals that are handed on.
fn listen() -> Result<mpsc::UnboundedReceiver<Signal>, Failure> {
    let (sender, receiver) = mpsc::unbounded_channel();
    for (kind, number) in HANDED_ON {
        let mut signals = signal(kind).map_err(|e| Failure::start(format!("signals cannot be listened to: {e}")))?;
        let sender = sender.clone();
        tokio::spawn(async move { while signals.recv().await.is_some() && sender.send(number).is_ok() {} });
    }
    Ok(receiver)
}

async fn wait(mut child: Child, signals: &mut mpsc::UnboundedReceiver<Signal>) -> Result<ExitStatus, Failure> {
    loop {
        tokio::select! {
            status = child.wait() => {
                return status.map_err(|e| Failure::start(format!("the command cannot be waited for: {e}")));
            }
            Some(signal) = signals.recv() => {
                let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
                if let Some(pid) = pid {
                    // A command that has just ended needs no signal.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    }
}

/// As a shell would say it.
fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}
