//! The tasks of a server, and their end.
//!
//! A process that goes on after its server has ended, as an embedding one does, must be able to open the store again: so
//! closing waits until nobody is left who could write to it.

use std::future::Future;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Counts what works for a server, and tells it when the server is closed.
#[derive(Default)]
pub struct Tasks {
    running: TaskTracker,
    closing: CancellationToken,
}

impl Tasks {
    /// Runs a task of the server.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.running.spawn(task);
    }

    /// Counts work as the server's that somebody else's task does.
    pub fn count<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        self.running.track_future(work)
    }

    /// Waits until the server is closed. What works for it is to end soon then, between two turns.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.closing.clone().cancelled_owned()
    }

    /// Whether the server is closed.
    pub fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Has all tasks end, and waits until they have.
    pub async fn end(&self) {
        self.closing.cancel();
        self.running.close();
        self.running.wait().await;
    }
}
