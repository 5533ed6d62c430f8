//! `cargo xtask python`: the tests of the Python package, from Python.
//!
//! Each folder below `python/tests` that has a `requirements.txt` is a suite with a virtual environment of its own, since
//! the systems that the package works with each want their own versions of what they depend on.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::environment::Environment;
use crate::process::{run, shown, succeeded};
use crate::run::{Sum, summed};

/// The extension's crate.
pub const CRATE: &str = "fedtail-python";

/// Compiling the host takes minutes, and slow machines more of them.
const BUILD_LIMIT: Duration = Duration::from_secs(60 * 60);

/// What came of the tests.
pub struct Tested {
    /// How many there were.
    pub sum: Sum,
    /// What was not run, and why.
    pub skipped: Vec<String>,
    /// Whether all went well.
    pub result: Result<()>,
}

/// Runs the tests of all suites, with these arguments for pytest.
pub fn python(root: &Path, arguments: &[OsString]) -> Result<()> {
    let Tested { sum, skipped, result } = test(root, arguments);
    skipped.iter().for_each(|words| println!("{words}"));
    println!("tests in Python: {} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.ignored);
    result?;
    if sum.passed == 0 && arguments.is_empty() && skipped.is_empty() {
        bail!("no test was run");
    }
    Ok(())
}

/// As [`python`]; says what came of it.
pub fn test(root: &Path, arguments: &[OsString]) -> Tested {
    let mut tested = Tested { sum: Sum::default(), skipped: Vec::new(), result: Ok(()) };
    let suites = match suites(root) {
        Ok(suites) => suites,
        Err(error) => return Tested { result: Err(error), ..tested },
    };
    for suite in &suites {
        let environment = match suite.environment(root) {
            Ok(environment) => environment,
            Err(error) => {
                let folder = suite.folder.strip_prefix(root).unwrap_or(&suite.folder);
                tested.skipped.push(format!("skipped: the tests in {}: {error:#}", folder.display()));
                continue;
            }
        };
        match suite.run(root, &environment, &suites, arguments) {
            Ok(sum) => {
                tested.sum.passed += sum.passed;
                tested.sum.failed += sum.failed;
                tested.sum.ignored += sum.ignored;
                if sum.failed > 0 && tested.result.is_ok() {
                    tested.result =
                        Err(anyhow::anyhow!("{} tests in Python failed; their own words are above", sum.failed));
                }
            }
            Err(error) if tested.result.is_ok() => tested.result = Err(error),
            Err(_) => {}
        }
    }
    tested
}

struct Suite {
    name: String,
    folder: PathBuf,
}

/// The suites: that of the package itself first.
fn suites(root: &Path) -> Result<Vec<Suite>> {
    let tests = root.join("python/tests");
    let listed = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(&tests)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    let mut folders = listed().with_context(|| format!("{} could not be listed", tests.display()))?;
    folders.retain(|folder| folder.join("requirements.txt").is_file());
    folders.sort();
    let mut suites = vec![Suite { name: "package".into(), folder: tests }];
    suites.extend(folders.into_iter().map(|folder| {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Suite { name, folder }
    }));
    Ok(suites)
}

impl Suite {
    fn environment(&self, root: &Path) -> Result<Environment> {
        let file = self.folder.join("requirements.txt");
        let requirements =
            fs::read_to_string(&file).with_context(|| format!("{} could not be read", file.display()))?;
        Environment::with(root, &self.name, &requirements)
    }

    fn run(&self, root: &Path, environment: &Environment, suites: &[Self], arguments: &[OsString]) -> Result<Sum> {
        let mut build = environment.command("maturin");
        build.args(["develop", "--quiet", "--manifest-path"]).arg(root.join("python/Cargo.toml"));
        run(&mut build, BUILD_LIMIT)?;
        let mut pytest = environment.command("python");
        pytest.current_dir(root).args(["-m", "pytest"]).arg(&self.folder);
        for other in suites.iter().filter(|other| other.folder != self.folder && other.folder.starts_with(&self.folder))
        {
            pytest.arg("--ignore").arg(&other.folder);
        }
        pytest.args(arguments);
        let name = shown(&pytest);
        let (sum, status) = summed(&mut pytest)?;
        // A choice of tests may leave a suite without any, which pytest tells with this code.
        let chose_none = !arguments.is_empty() && status.code() == Some(5);
        if sum.failed == 0 && !chose_none {
            succeeded(&name, status)?;
        }
        Ok(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_folder_with_requirements_is_a_suite_behind_that_of_the_package() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let suites = suites(root).unwrap();
        assert_eq!(suites[0].name, "package");
        assert!(suites.iter().all(|suite| suite.folder.join("requirements.txt").is_file()));
        assert!(suites[1..].iter().all(|suite| suite.folder.starts_with(&suites[0].folder)));
    }
}
