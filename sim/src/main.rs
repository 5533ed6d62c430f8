//! `cargo xtask sim`: many seeds of the simulation over all cores, or one with its trace.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Parser;
use fedtail::simulation::{Simulation, Sum};

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
            let (schedule, report) = simulation.shortest(seed, None);
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

fn run(simulation: &Simulation, arguments: &Arguments) -> ExitCode {
    let start = Instant::now();
    let (end, until) = match arguments.minutes {
        Some(minutes) => (u64::MAX, Some(start + Duration::from_secs_f64(minutes * 60.0))),
        None => (arguments.from.saturating_add(arguments.seeds), None),
    };
    let sum = simulation.many(arguments.from..end, until, u64::MAX);
    print(&sum, start.elapsed());
    if let Some(first) = sum.failed.first() {
        let (schedule, report) = simulation.shortest(first.seed, None);
        println!("the shortest schedule found for seed {}: {}", first.seed, report.failure.unwrap_or_default());
        schedule.iter().for_each(|line| println!("{line}"));
    }
    if sum.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print(sum: &Sum, took: Duration) {
    for (kind, count) in &sum.happened {
        println!("{count:>10}  {kind}");
    }
    let hours = sum.simulated as f64 / 3.6e12;
    let speed = sum.runs as f64 / took.as_secs_f64();
    println!("{} runs, {hours:.1} simulated hours, {:.1} s, {speed:.0} runs a second", sum.runs, took.as_secs_f64());
    for report in sum.failed.iter().take(20) {
        println!("seed {}: {}", report.seed, report.failure.as_deref().unwrap_or_default());
    }
    if !sum.failed.is_empty() {
        println!("{} of {} runs failed; replay one with `cargo xtask sim --seed N`", sum.failed.len(), sum.runs);
    }
}
