//! What every instance has in its store, of either kind: handles, accounts, the clock's and the diagnostics' imports.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use tracing::{debug, error, info, warn};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{StoreLimits, StoreLimitsBuilder};

use super::bindings::streamer::fedtail::policy::{chunks, clock, diagnostics, gaps};
use super::chunk::{Account, Chunk};
use super::component::Digest;
use super::engine::Engine;
use super::error::Fault;
use super::limits;
use super::machine::{Machine, Needs, ticks};
use super::wasi::System;

/// One instance's side of the host.
pub struct Guest<H> {
    /// What the instance's stream offers.
    pub host: Lent<H>,
    pub table: ResourceTable,
    /// For a guest whose language needs one.
    pub system: Option<System>,
    limits: StoreLimits,
    account: Account,
    calls: u32,
    messages: u32,
    step_time: Duration,
    fuel: Option<u64>,
    /// Digest and stream, as messages show them.
    name: String,
}

/// The host of an instance. A parked instance has none, and can't be called.
pub struct Lent<H>(Option<H>);

impl<H> Lent<H> {
    /// Takes it from an instance that is parked, or over.
    pub fn take(&mut self) -> Option<H> {
        self.0.take()
    }

    /// Gives it back to an instance that was parked.
    pub fn give(&mut self, host: H) {
        self.0 = Some(host);
    }
}

impl<H> std::ops::Deref for Lent<H> {
    type Target = H;

    fn deref(&self) -> &H {
        self.0.as_ref().expect(LENT)
    }
}

impl<H> std::ops::DerefMut for Lent<H> {
    fn deref_mut(&mut self) -> &mut H {
        self.0.as_mut().expect(LENT)
    }
}

/// Why a host is always there: an instance without one is of a type that has no way to call it.
const LENT: &str = "only a parked instance is without its host";

/// Time for a policy.
pub trait Time {
    /// Monotonic nanoseconds.
    fn now(&self) -> u64;
    /// Nanoseconds since the Unix epoch.
    fn wall(&self) -> u64;
}

impl<H> Guest<H> {
    /// Counts one host call; every import begins with it.
    pub fn call(&mut self) -> wasmtime::Result<()> {
        self.calls += 1;
        if self.calls > limits::CALLS_PER_STEP {
            wasmtime::bail!("it made more than {} host calls in one step", limits::CALLS_PER_STEP);
        }
        Ok(())
    }

    /// Gives the instance a chunk.
    pub fn give(&mut self, bytes: Bytes) -> wasmtime::Result<Resource<Chunk>> {
        let chunk = self.account.chunk(bytes)?;
        Ok(self.table.push(chunk)?)
    }

    /// The bytes behind a handle.
    pub fn look(&self, chunk: &Resource<Chunk>) -> wasmtime::Result<Bytes> {
        Ok(self.table.get(chunk)?.bytes().clone())
    }
}

/// A store with every limit on.
pub fn store<H: Time + 'static>(
    engine: &Engine,
    machine: &Machine,
    host: H,
    digest: Digest,
    stream: &str,
) -> wasmtime::Store<Guest<H>> {
    let mut table = ResourceTable::new();
    table.set_max_capacity(limits::HANDLES);
    let room = machine.room();
    let limits = StoreLimitsBuilder::new()
        .memory_size(room.memory)
        .table_elements(room.table_elements)
        .tables(room.tables)
        .memories(room.memories)
        .instances(room.instances)
        .build();
    let name = format!("{stream} policy {}", &digest.hex()[..12]);
    let system = (machine.needs == Needs::System).then(|| System::new(&name, engine.counts));
    let guest = Guest {
        host: Lent(Some(host)),
        table,
        system,
        limits,
        account: Account::default(),
        calls: 0,
        messages: 0,
        step_time: engine.step_time,
        fuel: engine.counts.then(|| machine.step_fuel()),
        name,
    };
    let mut store = wasmtime::Store::new(&machine.wasmtime, guest);
    store.limiter(|guest| &mut guest.limits);
    store.set_hostcall_fuel(limits::CALL_BYTES);
    store.set_max_component_handles(limits::HANDLES);
    if !engine.counts {
        store.epoch_deadline_trap();
    }
    fresh(&mut store);
    store
}

/// Gives the next call into the guest its whole budget of time, host calls and messages.
pub fn fresh<H: Time>(store: &mut wasmtime::Store<Guest<H>>) {
    match store.data().fuel {
        // An engine that counts instructions takes any number of them.
        Some(fuel) => store.set_fuel(fuel).expect("the engine counts instructions"),
        None => store.set_epoch_deadline(ticks(store.data().step_time)),
    }
    let guest = store.data_mut();
    if let Some(system) = &guest.system {
        system.fresh(guest.host.now(), guest.host.wall());
    }
    if guest.messages > limits::MESSAGES_PER_STEP {
        warn!("{}: {} more messages are not shown", guest.name, guest.messages - limits::MESSAGES_PER_STEP);
    }
    guest.calls = 0;
    guest.messages = 0;
}

/// Calls into the guest with its whole budget; a trap is a fault.
pub fn call<H: Time + Send + 'static, T: Send>(
    store: &mut wasmtime::Store<Guest<H>>,
    call: impl FnOnce(&mut wasmtime::Store<Guest<H>>) -> wasmtime::Result<T> + Send,
) -> Result<T, Fault> {
    fresh(store);
    enter(store, call).map_err(|error| Fault::trap(&error))
}

/// Runs code of the guest. One with a system interface runs on a thread of its own: parts of that interface are made of
/// asynchronous code that is waited for, which panics on a thread that belongs to a runtime. The price is a
/// thread for each step, which an interpreter's steps can bear and others need not.
pub fn enter<H: Send + 'static, T: Send>(
    store: &mut wasmtime::Store<Guest<H>>,
    run: impl FnOnce(&mut wasmtime::Store<Guest<H>>) -> wasmtime::Result<T> + Send,
) -> wasmtime::Result<T> {
    if store.data().system.is_none() {
        return run(store);
    }
    // What it says goes where the caller's words go.
    let dispatch = tracing::dispatcher::get_default(tracing::Dispatch::clone);
    let heard = || tracing::dispatcher::with_default(&dispatch, || run(store));
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("fedtail-step".into()).spawn_scoped(scope, heard);
        let thread = thread.map_err(|e| wasmtime::format_err!("the thread for a step cannot be started: {e}"))?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// A guest's words, fit to be shown: cut, and with control characters escaped.
pub fn printable(words: &str) -> String {
    let mut out = String::with_capacity(words.len().min(limits::MESSAGE));
    for char in words.chars() {
        if out.len() >= limits::MESSAGE {
            out.push('…');
            break;
        }
        if char.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(out, "{}", char.escape_default());
        } else {
            out.push(char);
        }
    }
    out
}

impl<H: Send> chunks::Host for Guest<H> {}

impl<H: Send> chunks::HostChunk for Guest<H> {
    fn new(&mut self, bytes: Vec<u8>) -> wasmtime::Result<Resource<Chunk>> {
        self.call()?;
        if bytes.len() > limits::CHUNK as usize {
            wasmtime::bail!("it made a chunk of more than {} bytes", limits::CHUNK);
        }
        self.give(bytes.into())
    }

    fn len(&mut self, chunk: Resource<Chunk>) -> wasmtime::Result<u32> {
        self.call()?;
        // A chunk is never longer than `limits::CHUNK`.
        Ok(u32::try_from(self.table.get(&chunk)?.bytes().len())?)
    }

    fn bytes(&mut self, chunk: Resource<Chunk>) -> wasmtime::Result<Vec<u8>> {
        self.call()?;
        Ok(self.table.get(&chunk)?.bytes().to_vec())
    }

    fn slice(&mut self, chunk: Resource<Chunk>, start: u32, end: u32) -> wasmtime::Result<Resource<Chunk>> {
        self.call()?;
        let Some(slice) = self.table.get(&chunk)?.slice(start, end) else {
            wasmtime::bail!("it cut a chunk from {start} to {end}, which is not within it");
        };
        Ok(self.table.push(slice)?)
    }

    fn last_line_end(&mut self, chunk: Resource<Chunk>) -> wasmtime::Result<Option<u32>> {
        self.call()?;
        let bytes = self.table.get(&chunk)?.bytes();
        Ok(bytes.iter().rposition(|&byte| byte == b'\n').and_then(|at| u32::try_from(at + 1).ok()))
    }

    fn drop(&mut self, chunk: Resource<Chunk>) -> wasmtime::Result<()> {
        self.table.delete(chunk)?;
        Ok(())
    }
}

impl<H: Time + Send> clock::Host for Guest<H> {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.call()?;
        Ok(self.host.now())
    }

    fn wall(&mut self) -> wasmtime::Result<u64> {
        self.call()?;
        Ok(self.host.wall())
    }
}

impl<H: Send> gaps::Host for Guest<H> {}

impl<H: Send> diagnostics::Host for Guest<H> {
    fn say(&mut self, level: diagnostics::Level, message: String) -> wasmtime::Result<()> {
        self.call()?;
        self.messages += 1;
        if self.messages > limits::MESSAGES_PER_STEP {
            return Ok(());
        }
        let (name, message) = (&self.name, printable(&message));
        match level {
            diagnostics::Level::Debug => debug!("{name}: {message}"),
            diagnostics::Level::Info => info!("{name}: {message}"),
            diagnostics::Level::Warn => warn!("{name}: {message}"),
            diagnostics::Level::Error => error!("{name}: {message}"),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_words_cannot_forge_lines_or_fill_the_log() {
        assert_eq!(printable("a\nb\u{1b}[31m"), "a\\nb\\u{1b}[31m");
        assert!(printable(&"x".repeat(1 << 20)).len() < limits::MESSAGE + 8);
    }
}
