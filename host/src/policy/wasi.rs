//! The system interface (WASI) of guests whose language needs one: linked, with nothing behind it.
//!
//! There are no directories, no sockets, no names to look up, no environment, no arguments and no input. What a guest
//! prints goes to the host's log, like what it says through `diagnostics`. Time is the host's clock and stands still during a
//! step. What would wait is a trap, since a policy returns what it waits for: an epoch does not end a host call, so a guest
//! that slept would hold its thread for as long as it likes.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tracing::{info, warn};
use wasmtime::component::Linker;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::pipe::MemoryInputPipe;
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use super::guest::{Guest, printable};
use super::limits;

/// The packages of the interface that is linked.
const PACKAGES: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

/// The version that all these packages have in common. The linker takes a later one of the same series for it.
pub const SERIES: &str = "0.2";

/// The interface that waits, under the exact version that `wasmtime-wasi` links: another would be a second one beside it.
const POLL: &str = "wasi:io/poll@0.2.12";

/// Whether an import is one of the system interface, by its name.
pub fn is_system(import: &str) -> bool {
    let Some((name, version)) = import.split_once('@') else { return false };
    PACKAGES.iter().any(|package| name.starts_with(package))
        && version.strip_prefix(SERIES).is_some_and(|rest| rest.starts_with('.'))
}

/// Links all of it.
pub fn link<H: Send + 'static>(linker: &mut Linker<Guest<H>>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_sync(linker)?;
    linker.allow_shadowing(true);
    let mut poll = linker.instance(POLL)?;
    for function in ["poll", "[method]pollable.block"] {
        poll.func_new(function, |_, _, _, _| {
            wasmtime::bail!("it tried to sleep or to wait; a policy returns what it waits for instead")
        })?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

impl<H: Send> WasiView for Guest<H> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let system = self.system.as_mut().expect("only an instance with a system is linked with one");
        WasiCtxView { ctx: &mut system.context, table: &mut self.table }
    }
}

/// What an instance has of a system.
pub struct System {
    context: WasiCtx,
    clock: Arc<Clock>,
    lines: Arc<AtomicU32>,
}

impl System {
    /// Nothing, for an instance that messages call `name`. `repeats`: its random numbers are always the same, so that a run
    /// can be repeated.
    pub fn new(name: &str, repeats: bool) -> Self {
        let clock = Arc::new(Clock::default());
        let lines = Arc::new(AtomicU32::new(0));
        let printed =
            |is_error| Printed { name: name.into(), is_error, unfinished: Arc::default(), lines: lines.clone() };
        let mut builder = WasiCtxBuilder::new();
        if repeats {
            let numbers = || Deterministic::new((0..=u8::MAX).map(|byte| byte.wrapping_mul(167)).collect());
            builder.secure_random(numbers()).insecure_random(numbers()).insecure_random_seed(1);
        }
        let context = builder
            .stdin(MemoryInputPipe::new(Bytes::new()))
            .stdout(printed(false))
            .stderr(printed(true))
            .wall_clock(Shown(clock.clone()))
            .monotonic_clock(Shown(clock.clone()))
            .max_random_size(limits::RANDOM)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        Self { context, clock, lines }
    }

    /// A step begins at this time.
    pub fn fresh(&self, now: u64, wall: u64) {
        self.clock.now.store(now, Ordering::Relaxed);
        self.clock.wall.store(wall, Ordering::Relaxed);
        let shown = self.lines.swap(0, Ordering::Relaxed);
        if shown > limits::LINES_PRINTED {
            warn!("{} more printed lines of a policy are not shown", shown - limits::LINES_PRINTED);
        }
    }
}

/// The time of the step that runs.
#[derive(Default)]
struct Clock {
    now: AtomicU64,
    wall: AtomicU64,
}

/// The clock, as the guest sees it.
struct Shown(Arc<Clock>);

impl HostMonotonicClock for Shown {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.now.load(Ordering::Relaxed)
    }
}

impl HostWallClock for Shown {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.wall.load(Ordering::Relaxed))
    }
}

/// Standard output or standard error: each line becomes a line of the host's log.
#[derive(Clone)]
struct Printed {
    name: Arc<str>,
    is_error: bool,
    /// A line that has no end yet.
    unfinished: Arc<Mutex<Vec<u8>>>,
    /// How many lines of both were printed in this step.
    lines: Arc<AtomicU32>,
}

impl Printed {
    fn line(&self, line: &[u8]) {
        if self.lines.fetch_add(1, Ordering::Relaxed) >= limits::LINES_PRINTED {
            return;
        }
        let (name, words) = (&self.name, printable(&String::from_utf8_lossy(line)));
        if self.is_error {
            warn!("{name} printed: {words}");
        } else {
            info!("{name} printed: {words}");
        }
    }
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if bytes.len() > limits::CALL_BYTES {
            return Err(StreamError::trap("it printed more than it may at once"));
        }
        let mut unfinished = self.unfinished.lock().unwrap_or_else(PoisonError::into_inner);
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            // What is longer is cut when it is shown.
            let most = (limits::MESSAGE + 1).saturating_sub(unfinished.len());
            unfinished.extend(part.iter().take(most));
            if part.ends_with(b"\n") {
                self.line(unfinished.trim_ascii_end());
                unfinished.clear();
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    // Of the interface's next version, which is not linked.
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_interface_is_known_by_its_names_and_its_version() {
        for name in ["wasi:io/poll@0.2.9", "wasi:filesystem/types@0.2.0", "wasi:cli/stdout@0.2.30"] {
            assert!(is_system(name), "{name}");
        }
        for name in ["wasi:http/types@0.2.9", "wasi:io/poll@0.3.0", "wasi:io/poll", "fedtail:policy/clock@0.1.0", "io"]
        {
            assert!(!is_system(name), "{name}");
        }
    }
}
