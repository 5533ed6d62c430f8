//! A stream, as who has begun it holds it.

use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::outcome::{Ending, Outcome};
use super::task::{Order, Status};

/// One log on its way. Clones are one stream. Dropping the last leaves the stream as a process that is killed leaves it:
/// the server keeps what it has and, after its idle timeout, says so.
#[derive(Clone)]
pub struct Stream {
    orders: mpsc::UnboundedSender<Order>,
    status: watch::Receiver<Status>,
}

impl Stream {
    pub(super) fn new(orders: mpsc::UnboundedSender<Order>, status: watch::Receiver<Status>) -> Self {
        Self { orders, status }
    }

    /// The job is about to end. Returns at once: lines that are written afterwards are still sent, until a look after a
    /// poll interval finds no more.
    pub fn request_stop(&self) {
        // A stream that has ended needs no stop.
        let _ = self.orders.send(Order::Stop);
    }

    /// How the stream ended; none while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        match &*self.status.borrow() {
            Status::Ended(outcome) => Some(outcome.clone()),
            Status::Running { .. } => None,
        }
    }

    /// Bytes of the log in the server's store, as far as this side was told.
    pub fn stored(&self) -> u64 {
        match &*self.status.borrow() {
            Status::Running { stored, .. } => *stored,
            Status::Ended(outcome) => outcome.stored,
        }
    }

    /// Waits until the stream has ended by itself: after [`request_stop`](Self::request_stop) or for a snapshot when
    /// the server has stored the end, else when it was refused or superseded.
    pub async fn ended(&mut self) -> Outcome {
        loop {
            if let Status::Ended(outcome) = &*self.status.borrow_and_update() {
                return outcome.clone();
            }
            if self.status.changed().await.is_err() {
                break;
            }
        }
        // The task is gone without an outcome only when its runtime is shut down.
        self.given_up(Ending::Aborted, "the runtime was shut down".into())
    }

    /// Stops, and waits until the server has stored the end. After `timeout` the stream is given up, and the outcome
    /// says what it was waiting for.
    pub async fn finish(mut self, timeout: Duration) -> Outcome {
        self.request_stop();
        match tokio::time::timeout(timeout, self.ended()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let waiting = match &*self.status.borrow() {
                    Status::Running { waiting_for, .. } => waiting_for.clone(),
                    Status::Ended(outcome) => return outcome.clone(),
                };
                let reason = format!("after {timeout:?}, {waiting}");
                // The server is told if it can be; this side has its outcome either way.
                let _ = self.orders.send(Order::Abort(format!("the site stopped waiting: {reason}")));
                self.given_up(Ending::TimedOut, reason)
            }
        }
    }

    /// Gives the stream up at once: nothing more is sent, and the server is told the reason if it can be. What it has stays
    /// there.
    pub fn abort(&self, reason: impl Into<String>) {
        // A stream that has ended needs no end.
        let _ = self.orders.send(Order::Abort(reason.into()));
    }

    fn given_up(&self, ending: Ending, reason: String) -> Outcome {
        Outcome { ending, reason, stored: self.stored(), gaps: Vec::new() }
    }
}
