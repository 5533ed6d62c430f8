//! Cargo's part: from a crate to a core module.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::surroundings;
use crate::toolchain::Toolchain;

/// The profile for guests. The workspace has it in its manifest.
const PROFILE: &str = "guest";

/// What to compile, and how.
pub(crate) struct Compilation<'a> {
    pub toolchain: &'a Toolchain,
    /// The crate is built from here.
    pub root: &'a std::path::Path,
    /// Where cargo puts what it makes.
    pub target: &'a std::path::Path,
    /// Which crate of the workspace; the one whose manifest is at the root, if none.
    pub package: Option<&'a str>,
    /// Options of `cargo rustc` beside those that every guest has.
    pub options: &'a [&'a str],
    /// Whether a person follows the compiler's words. If not, they are in the error.
    pub is_followed: bool,
}

impl Compilation<'_> {
    /// Compiles, and returns where the core module is.
    pub fn run(&self) -> Result<PathBuf> {
        let mut cargo = surroundings::cargo(self.toolchain, self.root)?;
        cargo
            .args(["rustc", "--lib", "--profile", PROFILE, "--crate-type", "cdylib"])
            .args(["--message-format", "json-render-diagnostics"])
            .args(self.options)
            .args(surroundings::options(self.toolchain))
            .arg("--target-dir")
            .arg(self.target);
        if let Some(package) = self.package {
            cargo.args(["--package", package]);
        }
        if let Some(jobs) = surroundings::jobs() {
            cargo.args(["--jobs", &jobs]);
        }
        let messages = self.messages(&mut cargo)?;
        module(&messages).context("cargo built no cdylib")
    }

    /// What cargo says to programs.
    fn messages(&self, cargo: &mut Command) -> Result<Vec<u8>> {
        cargo.stdin(Stdio::null()).stderr(if self.is_followed { Stdio::inherit() } else { Stdio::piped() });
        let program = self.toolchain.cargo.display();
        let child = cargo.stdout(Stdio::piped()).spawn().with_context(|| format!("{program} could not be run"))?;
        let output = child.wait_with_output().with_context(|| format!("{program} could not be waited for"))?;
        if !output.status.success() {
            let what = match self.package {
                Some(package) => format!("the guest {package}"),
                None => format!("the crate in {}", self.root.display()),
            };
            if self.is_followed {
                bail!("{what} could not be built with {}; the compiler's words are above", self.toolchain);
            }
            let words = String::from_utf8_lossy(&output.stderr);
            bail!("{what} could not be built with {}:\n{}", self.toolchain, words.trim_end());
        }
        Ok(output.stdout)
    }
}

/// The module in cargo's messages, one JSON object a line. The last one: a dependency that is a cdylib too comes before it.
fn module(messages: &[u8]) -> Option<PathBuf> {
    let messages = messages.split(|byte| *byte == b'\n');
    let artifacts = messages.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok());
    let mut modules = artifacts.filter(|message| message["reason"] == "compiler-artifact").filter_map(|artifact| {
        let files = artifact["filenames"].as_array()?;
        files
            .iter()
            .filter_map(|file| file.as_str())
            .map(PathBuf::from)
            .find(|file| file.extension() == Some("wasm".as_ref()))
    });
    modules.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_is_the_last_wasm_file_that_cargo_names() {
        let messages = br#"no json
{"reason":"compiler-artifact","filenames":["/t/liba.rlib","/t/liba.rmeta"]}
{"reason":"compiler-artifact","filenames":["/t/dependency.wasm"]}
{"reason":"compiler-artifact","filenames":["/t/a.d","/t/a.wasm"]}
{"reason":"build-finished","success":true,"filenames":["/t/b.wasm"]}
"#;
        assert_eq!(module(messages), Some(PathBuf::from("/t/a.wasm")));
        assert_eq!(module(b"{}\n"), None);
    }
}
