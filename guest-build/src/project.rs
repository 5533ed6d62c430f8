//! A policy's crate that stands by itself, as its author has it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::TARGET;
use crate::cargo::Compilation;
use crate::guest::component;
use crate::toolchain::{NoToolchain, Toolchain};

/// The profile for guests, for a crate whose manifest need not have it: as this workspace has it.
const PROFILE: [&str; 6] = [
    "profile.guest.inherits='release'",
    "profile.guest.opt-level=3",
    "profile.guest.lto=true",
    "profile.guest.codegen-units=1",
    "profile.guest.panic='abort'",
    "profile.guest.strip=true",
];

/// A policy's crate in a folder of its own.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    toolchain: Toolchain,
}

/// A component that was built of a crate.
#[derive(Debug, Clone)]
pub struct Built {
    /// The component, validated.
    pub component: Vec<u8>,
    /// The name of the crate's library, such as `my_policy`.
    pub name: String,
}

impl Project {
    /// The crate in this folder, with a toolchain that is found on this machine. Fails where there is no crate, or where
    /// no compiler can build it, with what to do.
    pub fn at(root: &Path) -> Result<Self> {
        // What errors show is a path that is good from anywhere.
        let root = root.canonicalize().with_context(|| format!("there is no folder {}", root.display()))?;
        if !root.join("Cargo.toml").is_file() {
            bail!("there is no Cargo.toml in {}: give the folder of a policy's crate", root.display());
        }
        let toolchain = Toolchain::find().map_err(|missing| anyhow!(advice(&missing)))?;
        Ok(Self { root, toolchain })
    }

    /// The toolchain that it is built with.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// Builds the crate and makes a component of it. What cargo and the compiler say is shown on standard error as it comes.
    /// Unlike guests of this workspace it may write `Cargo.lock`: an author adds dependencies.
    pub fn build(&self) -> Result<Built> {
        let profile: Vec<_> = PROFILE.iter().flat_map(|line| ["--config", line]).collect();
        let core = Compilation {
            toolchain: &self.toolchain,
            root: &self.root,
            target: &self.root.join("target/guests"),
            package: None,
            options: &profile,
            is_followed: true,
        }
        .run()?;
        let name = core.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (component, _) = component(&core, &format!("the crate in {}", self.root.display()))?;
        Ok(Built { component, name })
    }
}

/// What somebody can do who has the program alone.
fn advice(missing: &NoToolchain) -> String {
    let (major, minor) = crate::Compiler::needed();
    format!(
        "{missing}\nDo one of these:\n\
         - with rustup (https://rustup.rs), Rust {major}.{minor} or later: rustup target add {TARGET}\n\
         - on Debian 12, as root: apt-get install rustc-web cargo-web rust-web-src lld-N (the newest N there is)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_crate_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let words = Project::at(folder.path()).unwrap_err().to_string();
        assert!(words.starts_with("there is no Cargo.toml in /") && words.contains("a policy's crate"), "{words}");
        let words = Project::at(&folder.path().join("absent")).unwrap_err().to_string();
        assert!(words.starts_with("there is no folder ") && words.ends_with("/absent"), "{words}");
    }

    #[test]
    fn who_has_no_toolchain_reads_how_to_come_by_one() {
        let words = advice(&NoToolchain { reasons: vec!["/r/rustc: it is old".into()] });
        assert!(words.contains("/r/rustc: it is old\nDo one of these"), "{words}");
        assert!(
            words.contains("rustup target add wasm32-unknown-unknown") && words.contains("apt-get install"),
            "{words}"
        );
    }
}
