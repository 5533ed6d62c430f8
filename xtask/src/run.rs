//! `demo`, `test`, `sim` and `bench`: what is run once all is there.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::component_test::{self, Tools};
use crate::process::{cargo, run_here, shown, succeeded};
use crate::program;
use crate::python::{self, Tested};
use crate::tools;

/// Runs the demo. Unoptimised, as the usage says: compiling is what a newcomer waits for.
pub fn demo(root: &Path, arguments: &[OsString]) -> Result<()> {
    run_here(cargo(root).args(["run", "--package", "fedtail", "--", "demo"]).args(arguments))
}

/// Builds a guest crate of this workspace into a component.
pub fn guest(root: &Path, arguments: &[OsString]) -> Result<()> {
    run_here(cargo(root).args(["run", "--quiet", "--package", "guest-build", "--"]).args(arguments))
}

/// Runs the simulation, with the build of the dependencies that the tests have; it and the host are optimised besides, which
/// takes a minute and makes the runs ten times as many.
pub fn sim(root: &Path, arguments: &[OsString]) -> Result<()> {
    let mut sim = cargo(root);
    for package in ["fedtail", "sim"] {
        sim.arg("--config").arg(format!("profile.dev.package.{package}.opt-level=2"));
    }
    run_here(sim.args(["run", "--package", "sim", "--"]).args(arguments))
}

/// Measures, with an optimised build.
pub fn bench(root: &Path, arguments: &[OsString]) -> Result<()> {
    run_here(cargo(root).args(["run", "--release", "--package", "fedtail-bench", "--"]).args(arguments))
}

/// Runs all tests to the end, also when one fails, and sums them up.
pub fn test(root: &Path, arguments: &[OsString]) -> Result<()> {
    let start = Instant::now();
    let mut tests = cargo(root);
    // The Python package is built as the module that it is, and tested from Python.
    tests.args(["test", "--workspace", "--exclude", python::CRATE, "--no-fail-fast"]).args(arguments);
    let mut skipped = Vec::new();
    for program in [program::COMPONENTIZE, program::FLARE, program::KUBERNETES_VALIDATE] {
        match program.folder(root) {
            Ok(folder) => {
                tests.env(program.variable, folder);
            }
            Err(error) => skipped.push(format!("skipped: {}: {error:#}", program.tests)),
        }
    }
    skipped.extend(tools::install());
    let name = shown(&tests);
    let (Sum { mut passed, mut failed, mut ignored }, status) = summed(&mut tests)?;
    let mut as_components = Ok(0);
    let mut in_python = Ok(());
    if arguments.is_empty() {
        let Tested { sum, skipped: without, result } = python::test(root, &[]);
        passed += sum.passed;
        failed += sum.failed;
        ignored += sum.ignored;
        skipped.extend(without);
        in_python = result;
        match Tools::find(root) {
            Ok(tools) => as_components = component_test::test(root, &tools),
            Err(missing) => skipped.push(format!(
                "skipped: `cargo component test` of the guests: {missing:#}; `cargo xtask component-test` installs what \
                 it needs"
            )),
        }
    }
    passed += as_components.as_ref().copied().unwrap_or_default();
    skipped.iter().for_each(|words| println!("{words}"));
    println!("tests: {passed} passed, {failed} failed, {ignored} ignored, in {} s", start.elapsed().as_secs());
    succeeded(&name, status)?;
    as_components?;
    in_python?;
    if passed == 0 && arguments.is_empty() {
        bail!("`{name}` ran no test");
    }
    Ok(())
}

/// Runs tests on this terminal, and adds their results up.
pub fn summed(tests: &mut Command) -> Result<(Sum, ExitStatus)> {
    let name = shown(tests);
    println!("running: {name}");
    let mut child = tests.stdout(Stdio::piped()).spawn().with_context(|| format!("`{name}` could not be started"))?;
    let mut sum = Sum::default();
    if let Some(stdout) = child.stdout.take() {
        sum = Sum::of(BufReader::new(stdout), io::stdout().lock()).context("the tests' words could not be shown")?;
    }
    Ok((sum, child.wait().with_context(|| format!("`{name}` could not be waited for"))?))
}

/// How many tests there were, over all of cargo's test programs, or in one run of pytest.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// That passed.
    pub passed: u64,
    /// That did not.
    pub failed: u64,
    /// That were not run.
    pub ignored: u64,
}

impl Sum {
    /// Passes the words of `cargo test` on, and adds up the results in them.
    pub fn of(mut words: impl BufRead, mut to: impl Write) -> io::Result<Self> {
        let mut sum = Self::default();
        let mut line = Vec::new();
        // Bytes, since a test may print what is no text.
        while words.read_until(b'\n', &mut line)? > 0 {
            to.write_all(&line)?;
            to.flush()?;
            sum.add(&String::from_utf8_lossy(&line));
            line.clear();
        }
        Ok(sum)
    }

    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`, or pytest's `3 passed, 1 skipped in
    /// 0.25s`; other lines change nothing.
    fn add(&mut self, line: &str) {
        let of_cargo = line.strip_prefix("test result: ").and_then(|result| result.split_once(". "));
        let of_pytest = line.trim_matches(['=', ' ', '\n']).rsplit_once(" in ").filter(|(_, time)| {
            time.split(' ')
                .next()
                .and_then(|time| time.strip_suffix('s'))
                .is_some_and(|time| time.parse::<f64>().is_ok())
        });
        let counts = match (of_cargo, of_pytest) {
            (Some((_, counts)), _) | (None, Some((counts, _))) => counts,
            (None, None) => return,
        };
        for count in counts.split([';', ',']) {
            let Some((number, what)) = count.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" | "error" | "errors" => self.failed += number,
                "ignored" | "skipped" => self.ignored += number,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_all_programs_are_summed_up_and_every_word_is_passed_on() {
        let words: &[u8] = b"running 3 tests\n\xff\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished in 0.25s\n\
            test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s\n\
            no newline at the end";
        let mut shown = Vec::new();
        assert_eq!(Sum::of(words, &mut shown).unwrap(), Sum { passed: 5, failed: 4, ignored: 1 });
        assert_eq!(shown, words);
    }

    #[test]
    fn the_results_of_pytest_are_summed_up_too() {
        let words: &[u8] = b"3 passed, 2 deselected in 61.94s (0:01:01)\n\
            ===== 1 failed, 2 passed, 4 skipped, 1 error in 0.25s =====\n\
            test_a.py::test_that_5 passed in no time\n";
        let sum = Sum::of(words, io::sink()).unwrap();
        assert_eq!(sum, Sum { passed: 5, failed: 2, ignored: 4 });
    }
}
