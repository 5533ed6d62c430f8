//! A site, a server and all that can happen to them, in simulated time: thousands of runs in seconds.
//!
//! A seed makes a schedule: a job that writes a log and rotates it, a network that delays and breaks, hosts that are
//! killed, disks that fill up and forget. Both hosts are the very state machines that run in production, under the very
//! components; time, files, network and store are simulated. After each step an oracle that knows what the job wrote
//! compares it with what the server has. The same seed gives the same run, everywhere.

mod chance;
mod disk;
mod job;
mod oracle;
mod policies;
mod schedule;
mod server;
mod shrink;
#[cfg(test)]
mod tests;
mod time;
mod world;

use std::collections::BTreeMap;

use self::policies::Policies;
use self::schedule::Schedule;
use crate::policy::PolicyError;

/// Runs seeds. Compiled once; can be shared by threads.
pub struct Simulation {
    policies: Policies,
}

/// What one run came to.
#[derive(Debug, Clone)]
pub struct Report {
    /// Its seed.
    pub seed: u64,
    /// How long it took in simulated nanoseconds.
    pub simulated: u64,
    /// How often what happened.
    pub happened: BTreeMap<&'static str, u64>,
    /// What was wrong, in words; none: all was right.
    pub failure: Option<String>,
    /// What happened when, in words, where it was asked for.
    pub trace: Vec<String>,
}

impl Simulation {
    /// With the built-in policies.
    ///
    /// # Errors
    ///
    /// They could not be compiled on this machine.
    pub fn new() -> Result<Self, PolicyError> {
        Ok(Self { policies: Policies::embedded()? })
    }

    /// Runs one seed; `traced` tells what happened, step by step.
    pub fn run(&self, seed: u64, traced: bool) -> Report {
        let ran = world::run(&Schedule::of(seed), &self.policies, traced);
        Report { seed, simulated: ran.time, happened: ran.happened, failure: ran.failure, trace: ran.trace }
    }

    /// The shortest schedule found that is a part of this seed's and fails, in words, and its run with a trace.
    pub fn shortest(&self, seed: u64) -> (Vec<String>, Report) {
        let schedule = shrink::shortest(Schedule::of(seed), &self.policies);
        let ran = world::run(&schedule, &self.policies, true);
        let report =
            Report { seed, simulated: ran.time, happened: ran.happened, failure: ran.failure, trace: ran.trace };
        (shrink::words(&schedule), report)
    }
}
