//! Virtual environments of Python below the target folder, with what a file of requirements says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::{on_path, run};

/// How long pip may take for some hundred MB. Behind a firewall it can hang where it should fail.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// One of them.
pub struct Environment {
    folder: PathBuf,
}

impl Environment {
    /// The environment of this name with these requirements, made now where it is not there or was made with others. An error
    /// says why it can't be had.
    pub fn with(root: &Path, name: &str, requirements: &Path) -> Result<Self> {
        let folder = root.join("target/python").join(name);
        let wanted = std::fs::read_to_string(requirements)
            .with_context(|| format!("{} could not be read", requirements.display()))?;
        let environment = Self { folder };
        let installed = environment.folder.join("requirements.txt");
        if std::fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
            return Ok(environment);
        }
        println!("setup: installing what {} says", requirements.display());
        let python = on_path("python3").context("there is no python3 on the PATH")?;
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment.folder), LIMIT)
            .context("no environment can be made (on Debian that needs the package python3-venv)")?;
        run(environment.command("pip").args(["install", "--quiet", "--requirement"]).arg(requirements), LIMIT)?;
        std::fs::write(&installed, wanted).with_context(|| format!("{} could not be written", installed.display()))?;
        Ok(environment)
    }

    /// A program that is installed in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.folder.join("bin").join(program));
        command.env("VIRTUAL_ENV", &self.folder).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        command
    }
}
