//! Measures fedtail next to `tail -F | socat` with TLS, the pipe that a user would otherwise write, and prints one
//! table in Markdown.
//!
//! Both are real programs in processes of their own, over mutual TLS on loopback with the same certificates, on the same
//! log. Their runs take turns, so that what else the machine does falls on both, and the medians are compared. Every
//! stored log is compared with its source, byte by byte: a fast copy that is wrong is no result.
#![deny(missing_docs)]
#![deny(unsafe_code)]

mod catch_up;
mod certificates;
mod latency;
mod machine;
mod peer;
mod process;
mod relay;
mod sample;
mod sandbox;
mod statistics;
mod swap;
mod table;

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Parser;

use crate::peer::{Fedtail, Peer, Pipe};
use crate::table::Table;

/// Measure fedtail next to `tail -F | socat`.
#[derive(Parser)]
struct Options {
    /// A small run, to see that it works: its figures say little.
    #[arg(long)]
    quick: bool,
    /// Size of the log in MB (millions of bytes) [default: 1000; quick: 100].
    #[arg(long, value_name = "MB")]
    size: Option<u64>,
    /// Runs of each measurement, of which the median counts [default: 3; quick: 1].
    #[arg(long)]
    runs: Option<usize>,
    /// Lines of each run that measures delays, one every 100 ms [default: 200; quick: 20].
    #[arg(long)]
    lines: Option<usize>,
    /// Live streams that go over to another policy [default: 1000; quick: 100].
    #[arg(long)]
    streams: Option<usize>,
    /// Only these parts.
    #[arg(long, value_enum)]
    only: Vec<Part>,
    /// The fedtail program to measure; without it, it is built.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Where the logs are written and stored; what is made there is removed [default: the system's temporary directory].
    #[arg(long, value_name = "DIR")]
    scratch: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// A log that is there already, to the server.
    CatchUp,
    /// The same over a link with a round trip of 50 ms.
    Far,
    /// Single lines.
    Delay,
    /// The policy in its sandbox and without.
    Sandbox,
    /// Live streams that go over to another policy.
    Swap,
}

/// What every part needs.
struct Bench {
    directory: tempfile::TempDir,
    fedtail: Fedtail,
    /// None where the pipe's programs are not installed.
    pipe: Option<Pipe>,
    size: u64,
    runs: usize,
    lines: usize,
    streams: usize,
}

impl Bench {
    /// Those who are measured, the pipe first.
    fn peers(&self) -> Vec<&dyn Peer> {
        let pipe = self.pipe.iter().map(|pipe| pipe as &dyn Peer);
        pipe.chain([&self.fedtail as &dyn Peer]).collect()
    }
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let directory = match &options.scratch {
        Some(scratch) => tempfile::tempdir_in(scratch).with_context(|| format!("in {}", scratch.display()))?,
        None => tempfile::tempdir()?,
    };
    let certificates = certificates::make(directory.path())?;
    let pipe = Pipe::find(&certificates);
    if pipe.is_none() {
        eprintln!("socat is not installed, so nothing is compared: install Debian's package socat and measure again");
    }
    let fedtail = Fedtail::new(program, certificates, directory.path());
    let default = |full: u64, quick: u64| if options.quick { quick } else { full };
    let bench = Bench {
        fedtail,
        pipe,
        size: options.size.unwrap_or(default(1000, 100)) * 1_000_000,
        runs: options.runs.unwrap_or(default(3, 1) as usize).max(1),
        lines: options.lines.unwrap_or(default(200, 20) as usize).max(2),
        streams: options.streams.unwrap_or(default(1000, 100) as usize).max(1),
        directory,
    };
    let wanted = |part| options.only.is_empty() || options.only.contains(&part);
    let mut table = Table::default();
    if wanted(Part::CatchUp) || wanted(Part::Far) {
        catch_up::measure(&bench, wanted(Part::CatchUp), wanted(Part::Far), &mut table)?;
    }
    if wanted(Part::Delay) {
        latency::measure(&bench, &mut table)?;
    }
    if wanted(Part::Sandbox) {
        sandbox::measure(&bench, &mut table)?;
    }
    if wanted(Part::Swap) {
        swap::measure(&bench, &mut table)?;
    }
    println!("{}\n\n{table}", machine::header(&bench));
    Ok(())
}

/// Builds the program with the profile of this one, and returns its path.
fn build() -> Result<PathBuf> {
    let this = std::env::current_exe().context("where this program is")?;
    let cargo = std::env::var_os("CARGO").context("run this as `cargo xtask bench`, or give --program")?;
    // Together with this package, so that the dependencies are those that are built already.
    let build = ["build", "--release", "--package", "fedtail", "--package", "fedtail-bench"];
    let status = Command::new(cargo).args(build).status().context("cargo could not be started")?;
    if !status.success() {
        bail!("fedtail was not built ({status})");
    }
    let program = this.with_file_name("fedtail");
    if !program.is_file() {
        bail!("{} is not there: run this from a release build in the checkout, or give --program", program.display());
    }
    Ok(program)
}

/// How long anything may take before it counts as hung.
const PATIENCE: Duration = Duration::from_secs(120);
