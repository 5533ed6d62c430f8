//! A short trial of a policy before streams use it.

use std::time::{Duration, Instant};

use super::{Simulation, Unfit};
use crate::policy::{Applicant, Battery, Component, Engine, Kind, Promise};

/// How long a rehearsal takes at most, unless it is set. A policy in Rust is through with all its seeds before.
pub const REHEARSAL_TIME: Duration = Duration::from_secs(2);

/// The most seeds that are run.
const SEEDS: u64 = 50;

/// Runs a policy through the simulation for a short time; what was run within it counts. A policy that fails is refused.
///
/// It is run as it was compiled for streams, so nothing is compiled for this but the built-in policy of the other side. A
/// step that takes as long as the whole rehearsal may is an endless loop.
#[derive(Debug, Clone, Copy)]
pub struct Rehearsal {
    time: Duration,
    promise: Option<Promise>,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Self { time: REHEARSAL_TIME, promise: None }
    }
}

impl Rehearsal {
    /// Takes at most so long; default [`REHEARSAL_TIME`].
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Holds policies to this that are not held to something of their own; by default to what they seem to be.
    pub fn promise(mut self, promise: Option<Promise>) -> Self {
        self.promise = promise;
        self
    }
}

impl Battery for Rehearsal {
    fn run(&self, engine: &Engine, component: &Component, kind: Kind, applicant: &Applicant) -> Result<(), String> {
        let until = Instant::now() + self.time;
        let engine = engine.clone().step_time(self.time);
        let (custom, promise) = (&applicant.custom, applicant.promise.or(self.promise));
        let file = applicant.file.display();
        let advice = |seed: Option<u64>| {
            let settings: String =
                custom.iter().map(|(key, value)| format!(" --policy-setting '{key}={value}'")).collect();
            let kind = promise.map(|promise| format!(" --kind {promise}")).unwrap_or_default();
            let seed = seed.map(|seed| format!(" --seed {seed}")).unwrap_or_default();
            format!("see it happen with `fedtail policy test {}{settings}{kind}{seed}`", file)
        };
        let simulation = match Simulation::trying_until(&engine, component, kind, custom.clone(), promise, Some(until))
        {
            Ok(simulation) => simulation,
            Err(Unfit::Refuses(words)) => {
                // It may be made for logs of other names; what it does to them can't be known here.
                tracing::info!("the policy {} is not tried: it refuses the simulation: {words}", file);
                return Ok(());
            }
            Err(slow @ Unfit::Slow) => {
                tracing::info!("the policy {file} is not tried: {slow}");
                return Ok(());
            }
            Err(Unfit::Fails(words)) => return Err(format!("without any fault, {words}; {}", advice(None))),
            Err(Unfit::Policy(error)) => return Err(error.to_string()),
        };
        for seed in 0..SEEDS {
            let Some(report) = simulation.run_until(seed, until) else { break };
            if let Some(failure) = report.failure {
                return Err(format!("under faults, {failure}; {}", advice(Some(seed))));
            }
        }
        Ok(())
    }
}
