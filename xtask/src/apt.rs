//! Installing Debian packages.

use std::env;
use std::io::IsTerminal;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::{on_path, run};

/// A slow mirror takes minutes; one that hangs would take for ever.
const LIMIT: Duration = Duration::from_secs(15 * 60);

/// What apt is told each time.
const OPTIONS: &[&str] = &[
    "--yes",
    "--quiet",
    "--no-install-recommends",
    // Rust's packages conflict with each other: whoever has others keeps them, and is told.
    "--no-remove",
    // Another apt may be at work, as it is after the start of a machine.
    "--option=DPkg::Lock::Timeout=60",
];

/// The right to install packages on this machine.
pub struct Apt {
    through_sudo: bool,
    updated: bool,
}

impl Apt {
    /// Fails where there is no apt, or this user may not use it, in words.
    pub fn new() -> Result<Self> {
        if on_path("apt-get").is_none() {
            bail!("there is no apt-get on this machine, so this is neither Debian nor Ubuntu");
        }
        let id = Command::new("id").arg("-u").output().context("`id -u` could not be run")?;
        let is_root = id.stdout.trim_ascii() == b"0";
        if !is_root && on_path("sudo").is_none() {
            bail!("apt-get needs root, and there is no sudo");
        }
        Ok(Self { through_sudo: !is_root, updated: false })
    }

    /// Installs these packages, with what they depend on.
    pub fn install(&mut self, packages: &[&str]) -> Result<()> {
        if !self.updated {
            // One unreachable source of packages fails this, and may have nothing to do with what is needed: the
            // installation itself decides.
            if let Err(error) = run(&mut self.command("update", &[]), LIMIT) {
                println!("  going on with the package lists that are there: {error:#}");
            }
            self.updated = true;
        }
        run(&mut self.command("install", packages), LIMIT)
    }

    fn command(&self, action: &str, packages: &[&str]) -> Command {
        // `env`, since sudo does not pass variables on.
        let mut words = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"];
        words.extend(OPTIONS);
        words.push(action);
        words.extend(packages);
        if !self.through_sudo {
            let mut command = Command::new(words.remove(0));
            command.args(words);
            return command;
        }
        let mut command = Command::new("sudo");
        // sudo asks on the terminal itself; where there is none, a question would hang.
        if env::var_os("CI").is_some() || !std::io::stdin().is_terminal() {
            command.arg("-n");
        }
        command.args(words);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::shown;

    #[test]
    fn packages_are_never_removed_and_nothing_is_asked() {
        let apt = Apt { through_sudo: false, updated: true };
        let command = shown(&apt.command("install", &["a", "b"]));
        assert!(command.starts_with("env DEBIAN_FRONTEND=noninteractive apt-get --yes"), "{command}");
        assert!(command.contains(" --no-remove ") && command.ends_with(" install a b"), "{command}");
        assert!(!command.contains("sudo"));
    }

    #[test]
    fn who_is_not_root_goes_through_sudo() {
        let apt = Apt { through_sudo: true, updated: true };
        assert!(shown(&apt.command("update", &[])).starts_with("sudo "));
    }
}
