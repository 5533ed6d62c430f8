use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use fedtail::policy::{Component, Engine, Inspection, Promise};
use fedtail::simulation::{Simulation, Sum, Unfit};

use crate::exit::{Exit, Failure};
use crate::out;
use crate::policy_settings::{self, Setting, Table};

/// How long the shortest schedule is searched for.
const SEARCH: Duration = Duration::from_secs(20);

#[derive(Args)]
pub struct Options {
    /// The policy, of either kind.
    #[arg(value_name = "F.wasm")]
    policy: PathBuf,
    /// A setting of the policy, as `stream` and `server` take it. Repeatable.
    #[arg(long, value_name = "KEY=VALUE")]
    policy_setting: Vec<Setting>,
    /// How many runs, each with a schedule of its own of what the job does and what breaks.
    #[arg(long, value_name = "N", default_value_t = 200)]
    seeds: u64,
    /// The first seed.
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// Run this seed alone, and print what happened in it.
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// What the policy is held to: forwards (lets all through), filters (changes or drops lines), limits (lets a beginning
    /// through), other (anything) [default: what it seems to be, by what it does to a log without any fault]
    #[arg(long)]
    kind: Option<Promise>,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    let file = &options.policy;
    let found = Inspection::read(file).map_err(Failure::refused)?;
    let Some(kind) = found.kind() else {
        return Err(Failure::refused(format!("{} is not a policy, and there is nothing to test", file.display())));
    };
    let custom = policy_settings::joined(options.policy_setting.clone(), Table::default(), true)?;
    let engine = Engine::repeatable(Engine::user_cache()).map_err(Failure::start)?;
    let component = Component::read(&engine, file, kind).map_err(Failure::refused)?;
    fact("policy", format_args!("{} {}", file.display(), component.digest()));
    let simulation =
        Simulation::trying(&engine, &component, kind, custom.into(), options.kind).map_err(|unfit| match unfit {
            Unfit::Policy(error) => Failure::refused(error),
            Unfit::Slow => failed(format!("the policy {}: {unfit}", file.display())),
            Unfit::Refuses(_) => failed(format!(
                "the policy {} is not tried: {unfit}; give it --policy-setting with which it takes that one",
                file.display()
            )),
            Unfit::Fails(words) => failed(format!("the policy {} fails without any fault: {words}", file.display())),
        })?;
    if let Some(promise) = simulation.promise() {
        let by = if options.kind.is_some() { "as --kind says" } else { "by what it did to a log without any fault" };
        fact("it", format_args!("{}, {by}: {promise}", promise.does()));
        fact("held to", promise.held_to(kind));
    }
    match options.seed {
        Some(seed) => replay(&simulation, file, seed),
        None => many(&simulation, options),
    }
}

fn many(simulation: &Simulation, options: &Options) -> Result<Exit, Failure> {
    let begin = Instant::now();
    let seeds = options.from..options.from.saturating_add(options.seeds);
    let sum = simulation.many(seeds, None, 1);
    let Sum { runs, simulated, happened, failed } = &sum;
    let (hours, took) = (*simulated as f64 / 3.6e12, begin.elapsed().as_secs_f64());
    fact("runs", format_args!("{runs}, from seed {}; {hours:.1} simulated hours in {took:.1} s", options.from));
    let mut what = "faults";
    for (kind, count) in happened {
        fact(what, format_args!("{count:>6}  {kind}"));
        what = "";
    }
    match failed.first() {
        None => {
            fact("passed", "all of them");
            Ok(Exit::Complete)
        }
        Some(first) => shortest(simulation, &options.policy, first.seed),
    }
}

/// One run, step by step.
fn replay(simulation: &Simulation, file: &Path, seed: u64) -> Result<Exit, Failure> {
    let report = simulation.run(seed, true);
    report.trace.iter().for_each(out::line);
    match report.failure {
        None => {
            fact("passed", format_args!("seed {seed}"));
            Ok(Exit::Complete)
        }
        Some(_) => shortest(simulation, file, seed),
    }
}

/// Says how a seed fails, and the shortest way to it.
fn shortest(simulation: &Simulation, file: &Path, seed: u64) -> Result<Exit, Failure> {
    out::note(format_args!("seed {seed} fails; looking for the shortest schedule, for {SEARCH:?} at most"));
    let (schedule, report) = simulation.shortest(seed, Some(Instant::now() + SEARCH));
    let failure = report.failure.unwrap_or_default();
    fact("fails", &failure);
    let mut what = "when";
    for step in &schedule {
        fact(what, step.trim_start());
        what = "";
    }
    fact("", "then everything works again, and the job is over");
    fact("repeat", format_args!("with --seed {seed}"));
    Err(failed(format!("the policy {} fails: {failure}", file.display())))
}

fn failed(words: String) -> Failure {
    Failure { exit: Exit::PolicyFailed, words }
}

/// One fact.
fn fact(what: &str, about: impl std::fmt::Display) {
    out::line(format_args!("{what:<9} {about}"));
}
