//! Programs from PyPI that some tests run, each in an environment of its own.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::environment::Environment;

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
        let name = self.requirement.split('=').next().unwrap_or(self.requirement);
        Ok(Environment::with(root, name, self.requirement)?.programs())
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
