//! `cargo xtask sim`: many seeds of the simulation over all cores, or one with its trace.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use fedtail::simulation::{Report, Simulation};

/// Runs a site and a server under simulated faults, and checks that the server has what the job wrote.
#[derive(Parser)]
struct Arguments {
    /// How many seeds to run.
    #[arg(long, default_value_t = 1_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Run seeds for so many minutes, instead of a number of them.
    #[arg(long, conflicts_with = "seeds")]
    minutes: Option<f64>,
    /// Run this seed alone, and print what happened.
    #[arg(long, conflicts_with_all = ["seeds", "from", "minutes"])]
    seed: Option<u64>,
    /// With --seed: print the shortest part of its schedule that fails, and what happened in it.
    #[arg(long, requires = "seed")]
    shortest: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let simulation = Simulation::new().context("the policies can't be compiled")?;
    match arguments.seed {
        Some(seed) if arguments.shortest => {
            let (schedule, report) = simulation.shortest(seed);
            schedule.iter().chain(&report.trace).for_each(|line| println!("{line}"));
            Ok(ExitCode::from(u8::from(report.failure.is_some())))
        }
        Some(seed) => Ok(replay(&simulation, seed)),
        None => Ok(run(&simulation, &arguments)),
    }
}

fn replay(simulation: &Simulation, seed: u64) -> ExitCode {
    let report = simulation.run(seed, true);
    report.trace.iter().for_each(|line| println!("{line}"));
    match report.failure {
        None => {
            println!("seed {seed}: all was right");
            ExitCode::SUCCESS
        }
        Some(_) => ExitCode::FAILURE,
    }
}

/// What all runs add up to.
#[derive(Default)]
struct Sum {
    runs: u64,
    simulated: u64,
    happened: BTreeMap<&'static str, u64>,
    failed: Vec<Report>,
}

fn run(simulation: &Simulation, arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let (end, until) = match arguments.minutes {
        Some(minutes) => (u64::MAX, Some(start + Duration::from_secs_f64(minutes * 60.0))),
        None => (arguments.from.saturating_add(arguments.seeds), None),
    };
    let next = AtomicU64::new(arguments.from);
    let sum = Mutex::new(Sum::default());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                let mut mine = Sum::default();
                while until.is_none_or(|until| Instant::now() < until) {
                    let seed = next.fetch_add(1, Relaxed);
                    if seed >= end {
                        break;
                    }
                    let report = simulation.run(seed, false);
                    mine.runs += 1;
                    mine.simulated += report.simulated;
                    for (kind, count) in &report.happened {
                        *mine.happened.entry(kind).or_default() += count;
                    }
                    if report.failure.is_some() {
                        mine.failed.push(report);
                    }
                }
                sum.lock().unwrap_or_else(PoisonError::into_inner).add(mine);
            });
        }
    });
    let mut sum = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
    sum.failed.sort_by_key(|report| report.seed);
    sum.print(start.elapsed());
    if let Some(first) = sum.failed.first() {
        let (schedule, report) = simulation.shortest(first.seed);
        println!("the shortest schedule found for seed {}: {}", first.seed, report.failure.unwrap_or_default());
        schedule.iter().for_each(|line| println!("{line}"));
    }
    if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Sum {
    fn add(&mut self, other: Sum) {
        self.runs += other.runs;
        self.simulated += other.simulated;
        for (kind, count) in other.happened {
            *self.happened.entry(kind).or_default() += count;
        }
        self.failed.extend(other.failed);
    }

    fn print(&self, took: Duration) {
        for (kind, count) in &self.happened {
            println!("{count:>10}  {kind}");
        }
        let hours = self.simulated as f64 / 3.6e12;
        let speed = self.runs as f64 / took.as_secs_f64();
        println!(
            "{} runs, {hours:.1} simulated hours, {:.1} s, {speed:.0} runs a second",
            self.runs,
            took.as_secs_f64()
        );
        for report in self.failed.iter().take(20) {
            println!("seed {}: {}", report.seed, report.failure.as_deref().unwrap_or_default());
        }
        if !self.failed.is_empty() {
            println!("{} of {} runs failed; replay one with `cargo xtask sim --seed N`", self.failed.len(), self.runs);
        }
    }
}
