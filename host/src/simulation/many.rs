//! Many seeds, over all cores.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Report, Simulation};

/// What many runs add up to.
#[derive(Debug, Default)]
pub struct Sum {
    /// How many there were.
    pub runs: u64,
    /// How long they took in simulated nanoseconds.
    pub simulated: u64,
    /// How often what happened.
    pub happened: BTreeMap<&'static str, u64>,
    /// Those that failed, by their seeds.
    pub failed: Vec<Report>,
}

impl Sum {
    fn count(&mut self, report: Report) {
        self.runs += 1;
        self.simulated += report.simulated;
        for (kind, count) in &report.happened {
            *self.happened.entry(kind).or_default() += count;
        }
        if report.failure.is_some() {
            self.failed.push(report);
        }
    }

    fn add(&mut self, other: Self) {
        self.runs += other.runs;
        self.simulated += other.simulated;
        for (kind, count) in other.happened {
            *self.happened.entry(kind).or_default() += count;
        }
        self.failed.extend(other.failed);
    }
}

impl Simulation {
    /// Runs these seeds over all cores, and none that would begin after `until`. After so many that failed no other one
    /// is begun.
    pub fn many(&self, seeds: Range<u64>, until: Option<Instant>, failures: u64) -> Sum {
        let (next, failed) = (AtomicU64::new(seeds.start), AtomicU64::new(0));
        let sum = Mutex::new(Sum::default());
        let work = || {
            let mut mine = Sum::default();
            while until.is_none_or(|until| Instant::now() < until) && failed.load(Relaxed) < failures {
                let seed = next.fetch_add(1, Relaxed);
                if seed >= seeds.end {
                    break;
                }
                let report = self.run(seed, false);
                failed.fetch_add(u64::from(report.failure.is_some()), Relaxed);
                mine.count(report);
            }
            sum.lock().unwrap_or_else(PoisonError::into_inner).add(mine);
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(work);
            }
        });
        let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        sum.failed.sort_by_key(|report| report.seed);
        sum
    }
}
