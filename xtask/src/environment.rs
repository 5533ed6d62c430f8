//! Virtual environments of Python below the target folder.

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
    /// The environment of this name with these requirements, as lines of pip's files of them; made now where it is not there
    /// or was made with others. An error says why it can't be had.
    pub fn with(root: &Path, name: &str, requirements: &str) -> Result<Self> {
        let folder = root.join("target/python").join(name);
        let environment = Self { folder };
        let installed = environment.folder.join("requirements.txt");
        if std::fs::read_to_string(&installed).is_ok_and(|installed| installed == requirements) {
            return Ok(environment);
        }
        println!("setup: installing {}", requirements.lines().collect::<Vec<_>>().join(", "));
        let python = on_path("python3").context("there is no python3 on the PATH")?;
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(&environment.folder), LIMIT)
            .context("no environment can be made (on Debian that needs the package python3-venv)")?;
        // Under its name once all of it is installed.
        let wanted = installed.with_extension("wanted");
        std::fs::write(&wanted, requirements).with_context(|| format!("{} could not be written", wanted.display()))?;
        run(environment.command("pip").args(["install", "--quiet", "--requirement"]).arg(&wanted), LIMIT)?;
        std::fs::rename(&wanted, &installed)
            .with_context(|| format!("{} could not be written", installed.display()))?;
        Ok(environment)
    }

    /// The folder of its programs.
    pub fn programs(&self) -> PathBuf {
        self.folder.join("bin")
    }

    /// A program that is installed in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs().join(program));
        command.env("VIRTUAL_ENV", &self.folder).env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        command
    }
}
