//! One log of a job on its way, on a task of its own.

use std::time::Duration;

use fedtail::names::LogName;
use fedtail::site::{Outcome, Stream};
use tokio::sync::{mpsc, watch};

/// What a job's streams are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    GoOn,
    /// The job is over: send the rest, and end.
    Stop,
    /// Nothing more may leave, for this reason.
    Leave(String),
}

/// A stream is over.
pub struct Ended {
    pub job: String,
    pub log: LogName,
    pub outcome: Outcome,
}

/// A stream, and who is to know of its end.
pub struct Sending {
    pub job: String,
    pub log: LogName,
    pub stream: Stream,
    /// How long the end may take once the stream is to stop; none: for ever.
    pub finish_timeout: Option<Duration>,
    pub ended: mpsc::UnboundedSender<Ended>,
}

impl Sending {
    /// Goes on until the stream is over.
    pub async fn run(mut self, mut told: watch::Receiver<Told>) {
        let mut finished = None;
        let outcome = loop {
            tokio::select! {
                outcome = self.stream.ended() => break outcome,
                Ok(()) = told.changed() => match &*told.borrow_and_update() {
                    Told::GoOn => {}
                    Told::Leave(reason) => self.stream.abort(reason.clone()),
                    Told::Stop => {
                        self.stream.request_stop();
                        finished = self.finish_timeout.map(|timeout| tokio::time::Instant::now() + timeout);
                    }
                },
                () = until(finished) => break self.stream.finish(Duration::ZERO).await,
            }
        };
        // Nobody hears it when the program leaves on a second signal.
        let _ = self.ended.send(Ended { job: self.job, log: self.log, outcome });
    }
}

async fn until(deadline: Option<tokio::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
