//! Calling Python's code: on threads of its own, and never once the interpreter shuts down.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, ThreadId};
use std::time::{Duration, Instant};

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use crate::process::{hold, of_this_process};

/// Threads that are in Python's code now.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
/// Nobody goes in any more.
static CLOSED: AtomicBool = AtomicBool::new(false);

/// Counted for as long as it lives.
struct Inside;

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Calls Python's code from a thread of ours; not at all once the interpreter shuts down, since a thread that then asks for
/// the GIL is ended where it stands, or hangs.
pub fn in_python<T>(call: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    INSIDE.fetch_add(1, Ordering::SeqCst);
    let _inside = Inside;
    // After counting, so that whoever closes sees this one or is seen by it.
    if CLOSED.load(Ordering::SeqCst) {
        return None;
    }
    Python::try_attach(call)
}

/// Lets nobody in any more, and waits for those inside, for a bounded time.
pub fn close(patience: Duration) {
    CLOSED.store(true, Ordering::SeqCst);
    let until = Instant::now() + patience;
    while INSIDE.load(Ordering::SeqCst) > 0 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}

enum Order<T> {
    Call(T),
    Stop,
}

/// Calls one thing in Python, in order, on a thread of its own.
pub struct Caller<T> {
    orders: Sender<Order<T>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    id: ThreadId,
}

impl<T: Send + 'static> Caller<T> {
    /// Starts the thread. `call` is called with the GIL; what it raises is shown as Python shows errors that nobody can
    /// catch.
    pub fn start(name: &str, call: impl Fn(Python<'_>, T) -> PyResult<()> + Send + 'static) -> PyResult<Arc<Self>> {
        let (orders, taken) = channel();
        let thread = std::thread::Builder::new().name(name.into()).spawn(move || run(&taken, call));
        let thread = thread.map_err(|e| PyOSError::new_err(format!("the thread {name} cannot be started: {e}")))?;
        Ok(Arc::new(Self { orders, id: thread.thread().id(), thread: Mutex::new(Some(thread)) }))
    }

    /// Calls it with this, soon.
    pub fn call(&self, with: T) {
        // The thread is gone once it was stopped: then nobody wants to know.
        let _ = self.orders.send(Order::Call(with));
    }

    /// Has the thread end once it has called all that was asked for, and waits for that; not where a callback asks, on that
    /// thread itself.
    pub fn stop(&self, asks: ThreadId) {
        let _ = self.orders.send(Order::Stop);
        if asks != self.id
            && let Some(thread) = hold(&self.thread).take()
        {
            let _ = thread.join();
        }
    }
}

fn run<T>(orders: &Receiver<Order<T>>, call: impl Fn(Python<'_>, T) -> PyResult<()>) {
    while let Ok(Order::Call(with)) = orders.recv() {
        let called = in_python(|py| {
            if let Err(error) = call(py, with) {
                error.write_unraisable(py, None);
            }
        });
        if called.is_none() || of_this_process().is_none() {
            return;
        }
    }
}
