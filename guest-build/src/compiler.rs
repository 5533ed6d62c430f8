//! Compilers that this machine has, and what each can do for a guest.

use std::collections::HashSet;
use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::TARGET;

/// Where a compiler has the standard library of [`TARGET`] from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StandardLibrary {
    /// Compiled, in its sysroot.
    Compiled,
    /// As source, from which cargo can build it.
    Source,
    /// Not at all.
    Missing,
}

/// A Rust compiler with its cargo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// The cargo that belongs to it.
    pub cargo: PathBuf,
    /// The compiler itself, never a proxy that chooses one.
    pub rustc: PathBuf,
    /// Where its libraries are.
    pub sysroot: PathBuf,
    /// Its version, without the patch number: (1, 95).
    pub version: (u32, u32),
    /// The major version of the LLVM that it was built with. A linker for its output should not be older.
    pub llvm: u32,
    /// The target that it runs on.
    host: String,
}

impl Compiler {
    /// All compilers of this machine, each once: first the one whose cargo runs this program, then those on the `PATH`.
    /// One that does not answer is left out.
    pub fn all() -> Vec<Self> {
        let current = env::var_os("CARGO").map(PathBuf::from);
        let current = current.as_deref().and_then(Path::parent).map(Path::to_owned);
        let path = env::var_os("PATH").unwrap_or_default();
        let mut seen = HashSet::new();
        current
            .into_iter()
            .chain(env::split_paths(&path))
            .filter(|folder| is_program(&folder.join("rustc")))
            .filter_map(|folder| Self::ask(&folder).ok())
            .filter(|compiler| seen.insert(compiler.sysroot.clone()))
            .collect()
    }

    /// Asks the `rustc` of this folder what it is. Fails where it can't be run, says nothing usable, or has no cargo.
    pub fn ask(folder: &Path) -> Result<Self> {
        let rustc = folder.join("rustc");
        let sysroot = output(&rustc, &["--print", "sysroot"])?;
        let about = output(&rustc, &["-vV"])?;
        Self::told(folder, Path::new(sysroot.trim()), &about).with_context(|| format!("{} is no use", rustc.display()))
    }

    /// Takes in what the `rustc` of this folder says about itself with `-vV`.
    pub(crate) fn told(folder: &Path, sysroot: &Path, about: &str) -> Result<Self> {
        let field = |name: &str| {
            let value = about.lines().find_map(|line| line.strip_prefix(name));
            value.map(str::trim).with_context(|| format!("`rustc -vV` does not say `{name}`"))
        };
        // rustup's proxies answer for a compiler that is elsewhere. Its sysroot has the programs themselves, which stay
        // the same when somebody chooses another default.
        let program = |name: &str| {
            let places = [sysroot.join("bin").join(name), folder.join(name)];
            places.into_iter().find(|place| is_program(place)).with_context(|| format!("there is no {name}"))
        };
        Ok(Self {
            version: two_numbers(field("release:")?)?,
            llvm: two_numbers(field("LLVM version:")?)?.0,
            host: field("host:")?.to_owned(),
            cargo: program("cargo")?,
            rustc: program("rustc")?,
            sysroot: sysroot.to_owned(),
        })
    }

    /// What it has of the guests' target.
    pub fn standard_library(&self) -> StandardLibrary {
        let libraries = self.sysroot.join("lib/rustlib").join(TARGET).join("lib");
        let compiled = fs::read_dir(libraries).into_iter().flatten().flatten();
        if compiled.map(|entry| entry.file_name()).any(|name| name.as_encoded_bytes().starts_with(b"libstd-")) {
            StandardLibrary::Compiled
        } else if self.source().join("Cargo.lock").is_file() {
            StandardLibrary::Source
        } else {
            StandardLibrary::Missing
        }
    }

    /// Where the source of the standard library is, if it has it.
    pub fn source(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust/library")
    }

    /// Whether it brings a linker for WebAssembly along, as those of rustup do.
    pub fn has_linker(&self) -> bool {
        is_program(&self.sysroot.join("lib/rustlib").join(&self.host).join("bin/rust-lld"))
    }

    /// Whether it is new enough for this workspace.
    pub fn is_new_enough(&self) -> bool {
        self.version >= Self::needed()
    }

    /// The oldest version that this workspace can be built with.
    pub fn needed() -> (u32, u32) {
        // The manifest's own number; a test checks that it can be read.
        two_numbers(env!("CARGO_PKG_RUST_VERSION")).unwrap_or((u32::MAX, 0))
    }
}

/// Linkers for WebAssembly on the `PATH`, the newest first: the major version in the name, and where it is. One without
/// a version in its name counts as the oldest.
pub fn linkers() -> Vec<(u32, PathBuf)> {
    linkers_in(env::split_paths(&env::var_os("PATH").unwrap_or_default()))
}

fn linkers_in(folders: impl Iterator<Item = PathBuf>) -> Vec<(u32, PathBuf)> {
    let version = |name: &OsStr| match name.to_str()?.strip_prefix("wasm-ld")? {
        "" => Some(0),
        versioned => versioned.strip_prefix('-')?.parse().ok(),
    };
    let mut found: Vec<_> = folders
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flatten()
        .flatten()
        .filter_map(|entry| Some((version(&entry.file_name())?, entry.path())))
        .filter(|(_, path)| is_program(path))
        .collect();
    // Stable, so of two with the same version the one that is first on the path is first here.
    found.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    found
}

/// Whether there is a file that can be executed.
pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn output(program: &Path, arguments: &[&str]) -> Result<String> {
    let shown = program.display();
    let output = Command::new(program).args(arguments).output().with_context(|| format!("{shown} could not be run"))?;
    if !output.status.success() {
        bail!("{shown} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{shown} answered with something that is not text"))
}

/// The first two numbers of a version.
fn two_numbers(version: &str) -> Result<(u32, u32)> {
    let mut numbers = version.split(['.', '-', '+', ' ']);
    let mut next = || numbers.next()?.parse().ok();
    next().zip(next()).with_context(|| format!("{version:?} is no version"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_that_the_workspace_needs_is_readable() {
        assert!(Compiler::needed() >= (1, 95) && Compiler::needed().0 == 1);
    }

    #[test]
    fn versions_are_read_with_whatever_follows_them() {
        for (text, numbers) in [("1.96.0", (1, 96)), ("1.97.0-nightly", (1, 97)), ("22.1", (22, 1))] {
            assert_eq!(two_numbers(text).unwrap(), numbers);
        }
        assert!(two_numbers("stable").is_err());
    }

    #[test]
    fn the_compiler_that_runs_this_test_is_found() {
        let own = Compiler::all().into_iter().find(|compiler| compiler.is_new_enough()).unwrap();
        assert!(own.cargo.is_absolute() && own.rustc.is_absolute());
        assert_eq!(Compiler::ask(own.rustc.parent().unwrap()).unwrap(), own);
    }

    #[test]
    fn the_newest_linker_comes_first_and_what_cannot_run_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, mode| {
            let path = folder.path().join(name);
            fs::write(&path, "").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (old, new, plain) = (file("wasm-ld-9", 0o755), file("wasm-ld-22", 0o755), file("wasm-ld", 0o755));
        file("wasm-ld-30", 0o644);
        file("wasm-ld-next", 0o755);
        let found = linkers_in([folder.path().to_owned(), folder.path().join("absent")].into_iter());
        assert_eq!(found, [(22, new), (9, old), (0, plain)]);
    }
}
