//! What is open, and its end with the interpreter: streams are drained for a bounded time, and then nothing of ours calls
//! into Python any more.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fedtail::audit::Audit;
use fedtail::server::Server;
use fedtail::site::{Ending, Stream};
use fedtail::transport::messages::Delivery;
use pyo3::prelude::*;
use tracing::warn;

use crate::callbacks;
use crate::process::{hold, of_this_process};
use crate::tracing_to_logging;
use crate::waiting::wait;

/// How long streams that nobody has finished are drained.
const DRAIN: Duration = Duration::from_secs(5);
/// How long a stream may take that was given up.
const FAREWELL: Duration = Duration::from_secs(1);
/// How long anything else may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The open streams, servers and connections of a process.
#[derive(Default)]
pub struct Open {
    numbers: AtomicU64,
    streams: Mutex<HashMap<u64, Stream>>,
    audits: Mutex<Vec<std::sync::Weak<Audit>>>,
    servers: Mutex<HashMap<u64, Server>>,
    connections: Mutex<Vec<Delivery>>,
}

impl Open {
    /// A number for what is entered here.
    pub fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Keeps a stream until it has ended.
    pub fn stream(&'static self, stream: &Stream) {
        let number = self.number();
        hold(&self.streams).insert(number, stream.clone());
        let mut ending = stream.clone();
        tokio::spawn(async move {
            ending.ended().await;
            hold(&self.streams).remove(&number);
        });
    }

    /// An audit that is flushed at the end.
    pub fn audit(&self, audit: &Arc<Audit>) {
        let mut audits = hold(&self.audits);
        audits.retain(|audit| audit.strong_count() > 0);
        audits.push(Arc::downgrade(audit));
    }

    /// Keeps a server until it is closed.
    pub fn server(&self, number: u64, server: &Server) {
        hold(&self.servers).insert(number, server.clone());
    }

    /// It is closed.
    pub fn server_closed(&self, number: u64) {
        hold(&self.servers).remove(&number);
    }

    /// A connection that ends with the interpreter.
    pub fn connection(&self, delivery: &Delivery) {
        let mut connections = hold(&self.connections);
        connections.retain(|connection| !connection.is_closed());
        connections.push(delivery.clone());
    }
}

/// Stops these streams, and waits until all have ended, each for at most this time.
pub async fn finish(streams: Vec<Stream>, timeout: Duration) {
    streams.iter().for_each(Stream::request_stop);
    let finish = |mut stream: Stream| async move {
        let outcome = stream.clone().finish(timeout).await;
        if outcome.ending == Ending::TimedOut {
            warn!("a stream was given up: {outcome}");
            // The stream learns of it in a moment, so that whoever asks it afterwards does.
            let _ = tokio::time::timeout(FAREWELL, stream.ended()).await;
        }
    };
    let finishing: Vec<_> = streams.into_iter().map(|stream| tokio::spawn(finish(stream))).collect();
    for finished in finishing {
        // A task that is cancelled was cancelled with the runtime.
        let _ = finished.await;
    }
}

/// Called by `atexit`. See the module.
#[pyfunction]
#[pyo3(name = "_shut_down")]
pub fn shut_down(py: Python<'_>) -> PyResult<()> {
    // A child that was forked has nothing of this.
    let Some(process) = of_this_process() else { return Ok(()) };
    let open = &process.open;
    let streams: Vec<_> = hold(&open.streams).values().cloned().collect();
    let mut interrupted = Ok(());
    if !streams.is_empty() {
        // Whoever presses Ctrl-C does not want to wait for this.
        interrupted = wait(py, finish(streams, DRAIN));
    }
    let audits: Vec<_> = std::mem::take(&mut *hold(&open.audits)).iter().filter_map(std::sync::Weak::upgrade).collect();
    py.detach(|| audits.iter().for_each(|audit| audit.flush()));
    let servers: Vec<_> = hold(&open.servers).drain().map(|(_, server)| server).collect();
    let closing = async move {
        for server in servers {
            server.close().await;
        }
    };
    let closed = wait(py, async { tokio::time::timeout(PATIENCE, closing).await });
    for connection in hold(&open.connections).drain(..) {
        connection.close("the interpreter is shutting down");
    }
    process.end();
    py.detach(|| {
        tracing_to_logging::end();
        callbacks::close(PATIENCE);
        for runtime in process.take_runtimes() {
            runtime.shutdown_background();
        }
    });
    interrupted.and(closed.map(drop))
}
