//! The engine that compiles and runs policies: one per process.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::cache::Cache;
use super::limits;

/// Compiles and runs policies. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) cache: Arc<Cache>,
    pub(super) step_time: Duration,
}

impl Engine {
    /// An engine that keeps compiled components in `cache`, a directory private to this user; without one it compiles
    /// each component anew, which takes about 150 ms for the default policies.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, String> {
        let mut config = wasmtime::Config::new();
        config
            .epoch_interruption(true)
            .max_wasm_stack(limits::STACK)
            // Nothing that a policy's contract needs; each step is cheaper without it.
            .concurrency_support(false)
            // Instances are many and small: with these, 10,000 take 27 KiB each and fit the address space that
            // clusters allow a process; with the defaults each reserves 4 GiB.
            .memory_init_cow(false)
            .memory_reservation(2 << 20)
            .memory_reservation_for_growth(1 << 20)
            .memory_guard_size(64 << 10)
            .wasm_backtrace_max_frames(None);
        let wasmtime = wasmtime::Engine::new(&config).map_err(|e| format!("the WebAssembly engine: {e:#}"))?;
        tick(&wasmtime)?;
        let cache = Arc::new(Cache::new(cache, &wasmtime));
        Ok(Self { wasmtime, cache, step_time: limits::STEP_TIME })
    }

    /// Gives a step less time than [`limits::STEP_TIME`], which is the most.
    pub fn step_time(mut self, time: Duration) -> Self {
        self.step_time = time.min(limits::STEP_TIME);
        self
    }

    /// The directory where compiled components are kept for this user: `$XDG_CACHE_HOME/fedtail`, else
    /// `~/.cache/fedtail`; none where neither is known.
    pub fn user_cache() -> Option<PathBuf> {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .map(|d| d.join("fedtail"))
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
