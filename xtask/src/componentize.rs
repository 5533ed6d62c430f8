//! The tool that makes components of policies in Python, in an environment of its own below the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{on_path, run};

/// The tool as a requirement of pip. The program names the same version to authors; a test compares the two.
pub const REQUIREMENT: &str = "componentize-py==0.25.1";

/// The variable that tells the tests where the tool is.
pub const VARIABLE: &str = "FEDTAIL_COMPONENTIZE";

/// How long pip may take for some 20 MB. Behind a firewall it can hang where it should fail.
const LIMIT: Duration = Duration::from_secs(120);

/// The folder that the tool is in, installed now where it is not there. An error says why it can't be had.
pub fn folder(root: &Path) -> Result<PathBuf> {
    let environment = root.join("target/componentize-py");
    let programs = environment.join("bin");
    // Its own version tells whether it is the one that is wanted.
    let wanted = environment.join("requirement");
    if std::fs::read_to_string(&wanted).is_ok_and(|installed| installed == REQUIREMENT) {
        return Ok(programs);
    }
    println!("setup: installing {REQUIREMENT} for policies in Python");
    let python = on_path("python3").context("there is no python3 on the PATH")?;
    run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment), LIMIT)
        .context("no environment can be made (on Debian that needs the package python3-venv)")?;
    run(Command::new(programs.join("pip")).args(["install", "--quiet", REQUIREMENT]), LIMIT)?;
    std::fs::write(&wanted, REQUIREMENT).with_context(|| format!("{} could not be written", wanted.display()))?;
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_names_the_same_version_to_authors() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for file in ["host/src/bin/fedtail/policy/python.rs", "host/templates/python/README.md"] {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            assert!(text.contains(REQUIREMENT), "{file} names another version than {REQUIREMENT}");
        }
    }
}
