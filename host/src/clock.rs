//! Time is passed in: nothing in the host reads the machine's clock by itself, so that a test or a simulation owns it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Where a host has its time from.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic nanoseconds since an arbitrary start.
    fn now(&self) -> u64;
    /// Nanoseconds since the Unix epoch. Can jump: for showing, not for measuring.
    fn wall(&self) -> u64;
}

/// The machine's clock.
#[derive(Debug)]
pub struct SystemClock {
    start: Instant,
}

impl Default for SystemClock {
    fn default() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn wall(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}
