//! Waiting for the runtime from a thread of Python.

use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::process::process;

/// How often a thread that waits looks whether a signal came: what a person who presses Ctrl-C does not notice.
const SIGNALS: Duration = Duration::from_millis(50);

/// Waits without the GIL. A signal's exception, such as `KeyboardInterrupt`, ends the waiting, and what was waited for is
/// dropped.
pub fn wait<T: Send + 'static>(py: Python<'_>, work: impl Future<Output = T> + Send + 'static) -> PyResult<T> {
    let (done, mut result) = sync_channel(1);
    let task = process()?.handle().spawn(async move {
        // Nobody waits any more where a signal came first.
        let _ = done.send(work.await);
    });
    loop {
        // The receiver goes along, since it belongs to one thread at a time.
        let (received, again) = py.detach(move || (result.recv_timeout(SIGNALS), result));
        result = again;
        match received {
            Ok(value) => return Ok(value),
            Err(RecvTimeoutError::Timeout) => {
                if let Err(interrupted) = py.check_signals() {
                    task.abort();
                    return Err(interrupted);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err(
                    "fedtail ended while this was waiting for it: the interpreter shuts down, or it has a defect",
                ));
            }
        }
    }
}
