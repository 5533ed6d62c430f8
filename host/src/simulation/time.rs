//! The simulated time: it moves when the simulation says so, and the wall clock can be set to anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use crate::clock::Clock;

/// Nanoseconds of a millisecond, the unit of schedules.
pub(super) const MS: u64 = 1_000_000;

/// Where the wall clock stands when a run begins: in the middle of November 2023.
const WALL: u64 = 1_700_000_000_000_000_000;

/// One clock for the whole simulated world. Clones are the same clock.
#[derive(Clone, Default)]
pub(super) struct SimulatedTime(Arc<Hands>);

#[derive(Default)]
struct Hands {
    now: AtomicU64,
    /// What was added to the wall clock.
    shift: AtomicI64,
}

impl SimulatedTime {
    /// Moves on to this instant.
    pub fn reach(&self, now: u64) {
        self.0.now.store(now, Relaxed);
    }

    /// Sets the wall clock forwards or backwards.
    pub fn shift(&self, nanoseconds: i64) {
        self.0.shift.fetch_add(nanoseconds, Relaxed);
    }
}

impl Clock for SimulatedTime {
    fn now(&self) -> u64 {
        self.0.now.load(Relaxed)
    }

    fn wall(&self) -> u64 {
        (WALL + self.now()).saturating_add_signed(self.0.shift.load(Relaxed))
    }
}
