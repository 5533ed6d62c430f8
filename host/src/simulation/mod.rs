//! A site, a server and all that can happen to them, in simulated time: thousands of runs in seconds.
//!
//! A seed makes a schedule: a job that writes a log and rotates it, a network that delays and breaks, hosts that are
//! killed, disks that fill up and forget. Both hosts are the very state machines that run in production, under the
//! very components; time, files, network and store are simulated. After each step an oracle that knows what the job wrote
//! compares it with what the server has. The same seed gives the same run, everywhere.
//!
//! [`Simulation::new`] runs the built-in policies, which is how the hosts are tested. [`Simulation::trying`] runs another
//! policy, and holds it to its [`Promise`]: that is how a policy is tested, and [`Rehearsal`] how it is tried before
//! streams use it.

mod act;
mod chance;
mod credit;
mod disk;
mod job;
mod judge;
mod ledger;
mod lines;
mod many;
mod oracle;
mod policies;
mod promise;
mod records;
mod rehearsal;
mod schedule;
mod server;
mod shrink;
#[cfg(test)]
mod tests;
mod time;
mod witness;
mod world;

use std::collections::BTreeMap;
use std::time::Instant;

use self::policies::Policies;
use self::world::{Course, Ran};
use crate::policy::{Component, Custom, Engine, Kind, PolicyError, Promise};

pub use self::many::Sum;
pub use self::rehearsal::{REHEARSAL_TIME, Rehearsal};

/// So many records are what a policy is known by: some tens of kilobytes.
const SAMPLE: u64 = 200;

/// Runs seeds. Compiled once; can be shared by threads.
pub struct Simulation {
    course: Course,
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

/// Why a policy is not run under faults.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It can't be linked, or the built-in one at the other side can't be compiled.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// It refuses the simulation's log, in its own words: there is nothing to try.
    #[error("it does not take the log log.txt of the job `job` of the site `site`: {0}")]
    Refuses(String),
    /// It fails also without any fault, in words.
    #[error("{0}")]
    Fails(String),
    /// The time was not enough for one run without any fault.
    #[error("it takes too long over a log of some tens of kilobytes")]
    Slow,
}

impl Simulation {
    /// With the built-in policies.
    ///
    /// # Errors
    ///
    /// They could not be compiled on this machine.
    pub fn new() -> Result<Self, PolicyError> {
        Ok(Self { course: Course { policies: Policies::embedded()?, promise: None, takes: u64::MAX, forgives: false } })
    }

    /// With a policy of this kind, its settings, and the built-in policy at the other side. What it promises is told
    /// from what it does to a log of some tens of kilobytes without any fault, unless it is given.
    ///
    /// # Errors
    ///
    /// It does not even do that, or what it does is not what it promises.
    pub fn trying(
        engine: &Engine,
        component: &Component,
        kind: Kind,
        custom: Custom,
        promise: Option<Promise>,
    ) -> Result<Self, Unfit> {
        Self::trying_until(engine, component, kind, custom, promise, None)
    }

    fn trying_until(
        engine: &Engine,
        component: &Component,
        kind: Kind,
        custom: Custom,
        promise: Option<Promise>,
        until: Option<Instant>,
    ) -> Result<Self, Unfit> {
        let policies = Policies::trying(engine, component, kind, custom)?;
        let sample = records::sample(SAMPLE);
        let reference = world::reference(&policies, &sample, until).map_err(Unfit::Fails)?.ok_or(Unfit::Slow)?;
        if let Some(words) = reference.refused.clone().filter(|_| reference.stored.is_empty()) {
            return Err(Unfit::Refuses(words));
        }
        let promise = promise
            .or_else(|| policies.promise_by_state())
            .unwrap_or_else(|| promise::seems(kind, &sample, &reference.stored, reference.refused.is_some()));
        promise::check(promise, &sample, &reference.stored).map_err(Unfit::Fails)?;
        if let Some(words) = reference.refused.filter(|_| promise != Promise::Limits) {
            return Err(Unfit::Fails(format!("the stream is refused: {words}")));
        }
        let takes = reference.stored.len() as u64;
        Ok(Self { course: Course { policies, promise: Some(promise), takes, forgives: false } })
    }

    /// What the policy promises that is tried; none: the built-in ones, which are held to everything.
    pub fn promise(&self) -> Option<Promise> {
        self.course.promise
    }

    /// Runs one seed; `traced` tells what happened, step by step.
    pub fn run(&self, seed: u64, traced: bool) -> Report {
        report(seed, world::run(&self.course.schedule(seed), &self.course, traced))
    }

    /// Runs one seed; none where it did not come to its end before this time.
    fn run_until(&self, seed: u64, until: Instant) -> Option<Report> {
        let ran = world::run_until(&self.course.schedule(seed), &self.course, false, Some(until));
        ran.finished.then(|| report(seed, ran))
    }

    /// The shortest schedule found, until this time at most, that is a part of this seed's and fails, in words, and its
    /// run with a trace.
    pub fn shortest(&self, seed: u64, until: Option<Instant>) -> (Vec<String>, Report) {
        let schedule = shrink::shortest(self.course.schedule(seed), &self.course, until);
        let ran = world::run(&schedule, &self.course, true);
        (shrink::words(&schedule), report(seed, ran))
    }
}

fn report(seed: u64, ran: Ran) -> Report {
    Report { seed, simulated: ran.time, happened: ran.happened, failure: ran.failure, trace: ran.trace }
}
