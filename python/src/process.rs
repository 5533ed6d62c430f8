//! What a process has once: the runtime, the engines, and the streams that are open.
//!
//! A fork copies memory and one thread. All that is here lives in others, so a child that uses it would wait for ever:
//! every way to it looks whether this is still the process that made it, before it takes any lock.

use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use fedtail::policy::Engine;
use pyo3::exceptions::{PyOSError, PyRuntimeError};
use pyo3::prelude::*;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

use crate::shutdown::Open;
use crate::tracing_to_logging;

/// Threads that may be in a turn of a stream, at the disk or in a policy, at the same time. When hundreds of streams have
/// something to do at once, more of them would wait for each other at the processors all the same.
const BLOCKED: usize = 64;

/// See the module.
pub struct Process {
    id: u32,
    handle: Handle,
    /// Runs no tasks: it has threads for calls into Python, which may block for as long as they like.
    calls: Handle,
    runtimes: Mutex<Vec<Runtime>>,
    engines: Mutex<HashMap<Option<PathBuf>, Engine>>,
    /// What has to be ended before the interpreter is.
    pub open: Open,
    over: AtomicBool,
}

static PROCESS: OnceLock<Process> = OnceLock::new();

/// What this process has; made now if it is not there.
///
/// # Errors
///
/// `RuntimeError` in a child that was forked, and while the interpreter shuts down.
pub fn process() -> PyResult<&'static Process> {
    if let Some(process) = PROCESS.get() {
        return process.checked();
    }
    let failed = |e: std::io::Error| PyOSError::new_err(format!("the threads of fedtail cannot be started: {e}"));
    let runtime = fedtail::runtime().max_blocking_threads(BLOCKED).build().map_err(failed)?;
    let calls = tokio::runtime::Builder::new_current_thread().thread_name("fedtail-call").build().map_err(failed)?;
    let process = PROCESS.get_or_init(|| Process {
        id: std::process::id(),
        handle: runtime.handle().clone(),
        calls: calls.handle().clone(),
        runtimes: Mutex::new(vec![runtime, calls]),
        engines: Mutex::default(),
        open: Open::default(),
        over: AtomicBool::new(false),
    });
    tracing_to_logging::begin();
    Ok(process)
}

/// What this process has, if it has something and is the one that made it.
pub fn of_this_process() -> Option<&'static Process> {
    PROCESS.get().filter(|process| process.id == std::process::id())
}

impl Process {
    fn checked(&'static self) -> PyResult<&'static Self> {
        if self.id != std::process::id() {
            return Err(PyRuntimeError::new_err(
                "fedtail was used before this process was forked, and what it works with stayed in the parent: use fedtail in \
                 the child only, or start it with multiprocessing's method \"spawn\" or \"forkserver\"",
            ));
        }
        if self.over.load(Ordering::Acquire) {
            return Err(PyRuntimeError::new_err("the interpreter is shutting down, and fedtail has ended its work"));
        }
        Ok(self)
    }

    /// The runtime's.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The engine that keeps compiled policies there.
    pub fn engine(&self, cache: Option<PathBuf>) -> PyResult<Engine> {
        let mut engines = hold(&self.engines);
        if let Some(engine) = engines.get(&cache) {
            return Ok(engine.clone());
        }
        let engine = Engine::without_signals(cache.clone()).map_err(PyOSError::new_err)?;
        engines.insert(cache, engine.clone());
        Ok(engine)
    }

    /// Nothing begins from now on.
    pub fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Runs a call into Python on a thread of its own.
    pub fn call<T: Send + 'static>(&self, call: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.calls.spawn_blocking(call)
    }

    /// Takes the runtimes, to shut them down.
    pub fn take_runtimes(&self) -> Vec<Runtime> {
        std::mem::take(&mut *hold(&self.runtimes))
    }
}

/// Locks. What these locks guard is never left half changed, so a panic elsewhere does not spoil it.
pub fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that lives in the threads of the process that made it.
pub struct Kept<T> {
    id: u32,
    thing: ManuallyDrop<T>,
}

impl<T> Kept<T> {
    /// Of this process.
    pub fn new(thing: T) -> Self {
        Self { id: std::process::id(), thing: ManuallyDrop::new(thing) }
    }

    /// See [`process`] for the errors.
    pub fn get(&self) -> PyResult<&T> {
        process()?;
        Ok(&self.thing)
    }

    /// Also while the interpreter shuts down: what it is, not what it does.
    pub fn get_at_the_end(&self) -> Option<&T> {
        (self.id == std::process::id()).then_some(&*self.thing)
    }
}

impl<T> Drop for Kept<T> {
    fn drop(&mut self) {
        // In a child it is left as it is: ending it takes locks that a thread of the parent may have held.
        if self.id == std::process::id() {
            // SAFETY: it is dropped nowhere else, and not used again.
            #[allow(unsafe_code, reason = "see SAFETY")]
            unsafe {
                ManuallyDrop::drop(&mut self.thing);
            }
        }
    }
}
