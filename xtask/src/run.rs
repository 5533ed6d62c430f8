//! `demo`, `test`, `sim` and `bench`: what is run once all is there.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::component_test::{self, Tools};
use crate::process::{cargo, run_here, shown, succeeded};
use crate::python;
use crate::tools;

/// Runs the demo. Unoptimised, as the usage says: compiling is what a newcomer waits for.
pub fn demo(root: &Path, arguments: &[OsString]) -> Result<()> {
    run_here(cargo(root).args(["run", "--package", "fedtail", "--", "demo"]).args(arguments))
}

/// Builds a guest crate of this workspace into a component.
pub fn guest(root: &Path, arguments: &[OsString]) -> Result<()> {
    run_here(cargo(root).args(["run", "--quiet", "--package", "guest-build", "--"]).args(arguments))
}

/// Runs the simulation, with the build that the tests have: its dependencies are optimised, which is where its time goes.
pub fn sim(root: &Path, arguments: &[OsString]) -> Result<()> {
    run_here(cargo(root).args(["run", "--package", "sim", "--"]).args(arguments))
}

/// Measures, with an optimised build.
pub fn bench(root: &Path, arguments: &[OsString]) -> Result<()> {
    run_here(cargo(root).args(["run", "--release", "--package", "fedtail-bench", "--"]).args(arguments))
}

/// Runs all tests to the end, also when one fails, and sums them up.
pub fn test(root: &Path, arguments: &[OsString]) -> Result<()> {
    let start = Instant::now();
    let mut tests = cargo(root);
    tests.args(["test", "--workspace", "--no-fail-fast"]).args(arguments);
    let mut skipped = Vec::new();
    for program in [python::COMPONENTIZE, python::FLARE, python::KUBERNETES_VALIDATE] {
        match program.folder(root) {
            Ok(folder) => {
                tests.env(program.variable, folder);
            }
            Err(error) => skipped.push(format!("skipped: {}: {error:#}", program.tests)),
        }
    }
    skipped.extend(tools::install());
    let name = shown(&tests);
    println!("running: {name}");
    let mut child = tests.stdout(Stdio::piped()).spawn().with_context(|| format!("`{name}` could not be started"))?;
    let mut sum = Sum::default();
    if let Some(stdout) = child.stdout.take() {
        sum = Sum::of(BufReader::new(stdout), io::stdout().lock()).context("the tests' words could not be shown")?;
    }
    let status = child.wait().with_context(|| format!("`{name}` could not be waited for"))?;
    let Sum { mut passed, failed, ignored } = sum;
    let mut as_components = Ok(0);
    if arguments.is_empty() {
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
    if passed == 0 && arguments.is_empty() {
        bail!("`{name}` ran no test");
    }
    Ok(())
}

/// How many tests there were, over all of cargo's test programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// That passed.
    pub passed: u64,
    failed: u64,
    ignored: u64,
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

    /// Adds a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; ...`; other lines change nothing.
    fn add(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|result| result.split_once(". ")) else {
            return;
        };
        for count in counts.split(';') {
            let Some((number, what)) = count.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
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
}
