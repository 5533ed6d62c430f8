//! The two ways in which components are compiled and run: those that know the contract alone, and those whose language
//! needs a system interface.
//!
//! A guest in Rust is some kilobytes of code, of which ten thousand instances are live; one in Python carries its
//! interpreter with it, as compiled when the component was made. What is best for one is bad for the other, and an engine
//! is set up once: so each has its own.

use std::path::PathBuf;
use std::time::Duration;

use super::cache::Cache;
use super::limits;

/// What an instance may have of memory and the like.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub memory: usize,
    pub table_elements: usize,
    pub tables: usize,
    pub memories: usize,
    pub instances: usize,
}

/// What a component needs of its host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// The contract, and nothing else.
    Contract,
    /// Also the system interface (WASI) that its language's runtime is made on.
    System,
}

impl Needs {
    /// What a component needs, by what it imports at its outermost level; read without compiling anything. Bytes that
    /// can't be read need nothing: compiling them will say what is wrong.
    pub fn of(component: &[u8]) -> Self {
        use wasmparser::{Parser, Payload};
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(component) {
            match payload {
                Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
                Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
                Ok(Payload::ComponentImportSection(imports)) if depth == 0 => {
                    let mut names = imports.into_iter().flatten().map(|import| import.name.name);
                    if names.any(super::wasi::is_system) {
                        return Self::System;
                    }
                }
                Ok(_) => {}
                Err(_) => break,
            }
        }
        Self::Contract
    }
}

/// Compiles and runs components of one kind.
pub struct Machine {
    pub wasmtime: wasmtime::Engine,
    pub cache: Cache,
    pub needs: Needs,
}

impl Machine {
    /// A machine that keeps compiled components in `cache`, if given. It ends steps by their time, or counts their
    /// instructions. With `signals` faults in a component are caught by handlers of signals, else by checks in its code.
    pub fn new(needs: Needs, cache: Option<PathBuf>, counts: bool, signals: bool) -> Result<Self, String> {
        let mut config = wasmtime::Config::new();
        config
            .consume_fuel(counts)
            .epoch_interruption(!counts)
            .signals_based_traps(signals)
            .max_wasm_stack(limits::STACK)
            // Nothing that a policy's contract needs; each step is cheaper without it.
            .concurrency_support(false)
            // Instances are many and small: with these, 10,000 take 27 KiB each and fit the address space that
            // clusters allow a process; with the defaults each reserves 4 GiB.
            .memory_reservation(2 << 20)
            .memory_reservation_for_growth(1 << 20)
            .memory_guard_size(64 << 10)
            // An interpreter's memory is shared until it is written to, which spares each instance 11 MiB. For a small
            // guest mapping it costs more than copying it.
            .memory_init_cow(needs == Needs::System)
            .wasm_backtrace_max_frames(None);
        let wasmtime = wasmtime::Engine::new(&config).map_err(|e| format!("the WebAssembly engine: {e:#}"))?;
        if !counts {
            tick(&wasmtime)?;
        }
        let cache = Cache::new(cache, &wasmtime);
        Ok(Self { wasmtime, cache, needs })
    }

    /// Instructions of one step, where they are counted.
    pub fn step_fuel(&self) -> u64 {
        match self.needs {
            Needs::Contract => limits::STEP_FUEL,
            Needs::System => limits::STEP_FUEL_WITH_SYSTEM,
        }
    }

    /// What an instance may have.
    pub fn room(&self) -> Room {
        match self.needs {
            Needs::Contract => limits::ROOM,
            Needs::System => limits::ROOM_WITH_SYSTEM,
        }
    }
}

/// Moves the engine's epoch on, from a thread of its own, as long as the engine lives.
fn tick(engine: &wasmtime::Engine) -> Result<(), String> {
    let engine = engine.weak();
    let ticker = move || {
        loop {
            std::thread::sleep(limits::EPOCH_TICK);
            match engine.upgrade() {
                Some(engine) => engine.increment_epoch(),
                None => return,
            }
        }
    };
    std::thread::Builder::new()
        .name("fedtail-epoch".into())
        .spawn(ticker)
        .map(drop)
        .map_err(|e| format!("the thread that ends steps which take too long cannot be started: {e}"))
}

/// The time of a step, in ticks of the epoch.
pub fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos().div_ceil(limits::EPOCH_TICK.as_nanos());
    u64::try_from(ticks).unwrap_or(u64::MAX)
}
