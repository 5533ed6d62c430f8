//! Signals that ask the program to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::exit::Failure;

/// SIGTERM and SIGINT.
pub struct Ending {
    terminate: Signal,
    interrupt: Signal,
}

impl Ending {
    pub fn new() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|e| Failure::start(format!("signals cannot be listened to: {e}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Lets a write beyond the limit of a file's size fail, like one to a full disk, instead of ending the program.
pub fn survive_file_size_limit() -> Result<(), Failure> {
    let kind = SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw());
    // A signal that was listened to once is never left to its default again.
    signal(kind).map(drop).map_err(|e| Failure::start(format!("signals cannot be listened to: {e}")))
}
