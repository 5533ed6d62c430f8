//! `fuzz`: the fuzz targets in `fuzz/`, one after the other.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{cargo, on_path, run, run_here};

/// What is fuzzed; `docs/fuzzing.md` says what each shows.
pub const TARGETS: [&str; 3] = ["names", "recovery", "wire"];

/// Compiling `cargo-fuzz` takes half a minute, and slow machines more of it.
const COMPILE_LIMIT: Duration = Duration::from_secs(20 * 60);

/// Runs each target, or the one that is named, for so many minutes; ten by default.
pub fn fuzz(root: &Path, arguments: &[OsString]) -> Result<()> {
    let mut minutes = 10.0;
    let mut targets = Vec::new();
    let mut arguments = arguments.iter().map(|argument| argument.to_string_lossy());
    while let Some(argument) = arguments.next() {
        if argument == "--minutes" {
            let value = arguments.next().context("--minutes needs a number")?;
            minutes = value.parse().with_context(|| format!("--minutes {value}: not a number"))?;
        } else if let Some(target) = TARGETS.iter().find(|target| **target == argument) {
            targets.push(*target);
        } else {
            bail!("there is no target {argument:?}; there are {}", TARGETS.join(", "));
        }
    }
    if targets.is_empty() {
        targets.extend(TARGETS);
    }
    let installed = root.join("target/cargo-fuzz");
    let program = match on_path("cargo-fuzz") {
        Some(program) => program,
        None => installed.join("bin/cargo-fuzz"),
    };
    if !program.is_file() {
        println!("setup: compiling cargo-fuzz");
        let mut install = cargo(root);
        install.args(["install", "cargo-fuzz", "--locked", "--quiet", "--root"]).arg(&installed);
        run(&mut install, COMPILE_LIMIT)?;
    }
    for target in targets {
        let folder = root.join("fuzz");
        // What is found new goes into the first folder, which stays on this machine.
        let corpus = folder.join("corpus").join(target);
        std::fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
        let mut fuzz = Command::new(&program);
        fuzz.current_dir(&folder)
            // Sanitizers are not for stable compilers yet; this lets one have them.
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", target])
            .arg(corpus)
            .arg(folder.join("seeds").join(target))
            .arg("--")
            .args(["-timeout=20", "-rss_limit_mb=2048"])
            .arg(format!("-max_total_time={}", (minutes * 60.0_f64).ceil()));
        run_here(&mut fuzz)?;
    }
    Ok(())
}
