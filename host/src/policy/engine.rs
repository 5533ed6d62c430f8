//! The engine that compiles and runs policies: one per process.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::limits;
use super::machine::{Machine, Needs};

/// Compiles and runs policies. Cheap to clone; all clones are one engine.
#[derive(Clone)]
pub struct Engine {
    machine: Arc<Machine>,
    /// For components with a system interface. Made when the first one comes, since most hosts never see one.
    with_system: Arc<Mutex<Option<Arc<Machine>>>>,
    cache: Option<PathBuf>,
    pub(super) step_time: Duration,
    /// Whether the instructions of a step are counted, instead of its time.
    pub(super) counts: bool,
    signals: bool,
}

impl Engine {
    /// An engine that keeps compiled components in `cache`, a directory private to this user; without one it compiles
    /// each component anew, which takes about 150 ms for the default policies, and seven seconds for one in Python.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, String> {
        Self::of(cache, false, true)
    }

    /// An engine that leaves the process's handlers of signals alone, for a process that has some of its own: Python's
    /// `faulthandler` would end it at the first fault of a policy. A third slower inside of a guest, which then checks in
    /// its code what the processor would check otherwise.
    pub fn without_signals(cache: Option<PathBuf>) -> Result<Self, String> {
        Self::of(cache, false, false)
    }

    /// An engine that bounds a step by its instructions instead of its time, so that a run can be repeated: the
    /// simulation's. Slower by a half inside of a guest. Its compiled components are others than those of
    /// [`new`](Self::new), and can be kept in the same place.
    pub fn repeatable(cache: Option<PathBuf>) -> Result<Self, String> {
        Self::of(cache, true, true)
    }

    fn of(cache: Option<PathBuf>, counts: bool, signals: bool) -> Result<Self, String> {
        let machine = Arc::new(Machine::new(Needs::Contract, cache.clone(), counts, signals)?);
        Ok(Self { machine, with_system: Arc::default(), cache, step_time: limits::STEP_TIME, counts, signals })
    }

    /// Gives a step less time than [`limits::STEP_TIME`], which is the most.
    pub fn step_time(mut self, time: Duration) -> Self {
        self.step_time = time.min(limits::STEP_TIME);
        self
    }

    /// What compiles and runs components with these needs.
    pub(super) fn machine(&self, needs: Needs) -> Result<Arc<Machine>, String> {
        if needs == Needs::Contract {
            return Ok(self.machine.clone());
        }
        let mut machine = self.with_system.lock().unwrap_or_else(PoisonError::into_inner);
        match &*machine {
            Some(machine) => Ok(machine.clone()),
            None => {
                let made = Machine::new(needs, self.cache.clone(), self.counts, self.signals)?;
                Ok(machine.insert(Arc::new(made)).clone())
            }
        }
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
