use clap::Args;

use crate::exit::{Exit, Failure};
use crate::{control, out};

#[derive(Args)]
pub struct Options {
    /// Only the process of this number. Repeatable; by default all of this user.
    #[arg(long, value_name = "PID")]
    pid: Vec<u32>,
}

pub async fn run(options: &Options) -> Result<Exit, Failure> {
    let answers = control::ask(&options.pid).await.map_err(Failure::start)?;
    let missing: Vec<_> =
        options.pid.iter().filter(|pid| !answers.iter().any(|answer| answer.process == **pid)).collect();
    if let Some(pid) = missing.first() {
        return Err(Failure::start(format!("no fedtail program of this user runs as process {pid}")));
    }
    if answers.is_empty() {
        return Err(Failure::start(
            "no fedtail program of this user is running (or send SIGHUP to one of another user)",
        ));
    }
    let mut exit = Exit::Complete;
    for answer in answers {
        if !answer.well {
            exit = Exit::Failed;
        }
        out::line(format_args!("process {}: {}", answer.process, answer.words));
    }
    Ok(exit)
}
