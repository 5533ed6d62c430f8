//! Python programs that some tests run, each in an environment of its own below the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{on_path, run};

/// How long pip may take for some 100 MB. Behind a firewall it can hang where it should fail.
const LIMIT: Duration = Duration::from_secs(300);

/// A program from PyPI.
pub struct Program {
    /// As a requirement of pip.
    pub requirement: &'static str,
    /// The variable that tells the tests in which folder it is.
    pub variable: &'static str,
    /// What is skipped without it.
    pub tests: &'static str,
}

/// Makes components of policies in Python. The program names the same version to authors; a test compares the two.
pub const COMPONENTIZE: Program = Program {
    requirement: "componentize-py==0.25.1",
    variable: "FEDTAIL_COMPONENTIZE",
    tests: "the tests of policies in Python",
};

/// NVIDIA FLARE, whose jobs' logs are streamed.
pub const FLARE: Program =
    Program { requirement: "nvflare==2.9.0", variable: "FEDTAIL_NVFLARE", tests: "the tests with NVIDIA FLARE itself" };

/// Holds manifests against the schemas of Kubernetes, which it has with it.
pub const KUBERNETES_VALIDATE: Program = Program {
    requirement: "kubernetes-validate==1.37.0",
    variable: "FEDTAIL_KUBERNETES_VALIDATE",
    tests: "the tests of Kubernetes' manifests against its schemas",
};

impl Program {
    /// The folder that the program is in, installed now where it is not there. An error says why it can't be had.
    pub fn folder(&self, root: &Path) -> Result<PathBuf> {
        let requirement = self.requirement;
        let name = requirement.split('=').next().unwrap_or(requirement);
        let environment = root.join("target").join(name);
        let programs = environment.join("bin");
        // Its own version tells whether it is the one that is wanted.
        let wanted = environment.join("requirement");
        if std::fs::read_to_string(&wanted).is_ok_and(|installed| installed == requirement) {
            return Ok(programs);
        }
        println!("setup: installing {requirement} for {}", self.tests);
        let python = on_path("python3").context("there is no python3 on the PATH")?;
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment), LIMIT)
            .context("no environment can be made (on Debian that needs the package python3-venv)")?;
        run(Command::new(programs.join("pip")).args(["install", "--quiet", requirement]), LIMIT)?;
        std::fs::write(&wanted, requirement).with_context(|| format!("{} could not be written", wanted.display()))?;
        Ok(programs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_names_the_same_version_to_authors() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for file in ["host/src/bin/fedtail/policy/python.rs", "host/templates/python/README.md"] {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            let requirement = COMPONENTIZE.requirement;
            assert!(text.contains(requirement), "{file} names another version than {requirement}");
        }
    }
}
