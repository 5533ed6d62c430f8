//! The toolchain that builds guests: found on the machine, recorded in the workspace.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::compiler::{Compiler, StandardLibrary, is_program, linkers};
use crate::{RECORD, TARGET, record};

/// How a toolchain comes by the standard library of the guests' target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It lies compiled in the compiler's sysroot, as `rustup target add` puts it there.
    Rustup,
    /// It is built from its source, as Debian's packages allow.
    Debian,
}

impl Kind {
    /// The kind that the record names so.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Rustup, Self::Debian].into_iter().find(|kind| kind.to_string() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rustup => "rustup",
            Self::Debian => "debian",
        })
    }
}

/// A toolchain that can build guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// Where its standard library comes from.
    pub kind: Kind,
    /// The cargo to run.
    pub cargo: PathBuf,
    /// The compiler to run.
    pub rustc: PathBuf,
    /// The linker to use, where the compiler brings none along.
    pub linker: Option<PathBuf>,
}

/// No compiler of this machine can build guests; what each one lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoToolchain {
    /// One line for each compiler that was looked at.
    pub reasons: Vec<String>,
}

impl fmt::Display for NoToolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no compiler of this machine can build for {TARGET}")?;
        if self.reasons.is_empty() {
            write!(f, ": there is no rustc with its cargo on the PATH")?;
        }
        self.reasons.iter().try_for_each(|reason| write!(f, "\n  {reason}"))
    }
}

impl std::error::Error for NoToolchain {}

impl Toolchain {
    /// Searches this machine. A compiler that has the target compiled is taken before one that would build the standard
    /// library from source, which takes a minute more for the first guest.
    pub fn find() -> Result<Self, NoToolchain> {
        let linkers = linkers();
        let mut from_source = None;
        let mut reasons = Vec::new();
        for compiler in Compiler::all() {
            match Self::of(&compiler, &linkers) {
                Ok(toolchain) if toolchain.kind == Kind::Rustup => return Ok(toolchain),
                Ok(toolchain) => from_source = from_source.or(Some(toolchain)),
                Err(reason) => reasons.push(format!("{}: {reason}", compiler.rustc.display())),
            }
        }
        from_source.ok_or(NoToolchain { reasons })
    }

    /// What this compiler and these linkers make together, or what is missing.
    fn of(compiler: &Compiler, linkers: &[(u32, PathBuf)]) -> Result<Self, String> {
        if !compiler.is_new_enough() {
            let ((major, minor), (needed_major, needed_minor)) = (compiler.version, Compiler::needed());
            return Err(format!("its version is {major}.{minor}, {needed_major}.{needed_minor} is needed"));
        }
        let kind = match compiler.standard_library() {
            StandardLibrary::Compiled => Kind::Rustup,
            StandardLibrary::Source => Kind::Debian,
            StandardLibrary::Missing => return Err(format!("it has no standard library for {TARGET}, nor its source")),
        };
        let linker = match linkers.first() {
            _ if compiler.has_linker() => None,
            Some((_, newest)) => Some(newest.clone()),
            None => return Err("there is no wasm-ld for it (Debian's package lld-N has one)".to_owned()),
        };
        Ok(Self { kind, cargo: compiler.cargo.clone(), rustc: compiler.rustc.clone(), linker })
    }

    /// The toolchain that the workspace at `root` has recorded, or none if it has no record. Fails where the record is
    /// damaged, or what it names is no longer there.
    pub fn recorded(root: &Path) -> Result<Option<Self>> {
        let Some(toolchain) = record::read(root)? else { return Ok(None) };
        for program in [Some(&toolchain.cargo), Some(&toolchain.rustc), toolchain.linker.as_ref()].into_iter().flatten()
        {
            if !is_program(program) {
                let record = root.join(RECORD);
                let (record, program) = (record.display(), program.display());
                bail!("{record} names {program}, which is not there any more: run `cargo xtask setup`");
            }
        }
        Ok(Some(toolchain))
    }

    /// Records this toolchain for the workspace at `root`.
    pub fn record(&self, root: &Path) -> Result<()> {
        record::write(root, self)
    }

    /// Asks whether it is all there still, also what its files don't show, such as a target that was removed. Takes
    /// some tens of milliseconds.
    pub fn is_whole(&self) -> bool {
        let folder = self.rustc.parent().unwrap_or(Path::new("/"));
        let linkers: Vec<_> = self.linker.iter().map(|linker| (0, linker.clone())).collect();
        Compiler::ask(folder).is_ok_and(|compiler| Self::of(&compiler, &linkers).as_ref() == Ok(self))
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let library = match self.kind {
            Kind::Rustup => "with the target installed",
            Kind::Debian => "with the standard library built from its source",
        };
        write!(f, "{} {library}", self.rustc.display())?;
        self.linker.iter().try_for_each(|linker| write!(f, ", linked by {}", linker.display()))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder that looks like a compiler of this version, which lacks all that a guest needs.
    fn compiler(root: &Path, version: &str) -> Compiler {
        program(&root.join("bin/rustc"));
        program(&root.join("bin/cargo"));
        let about = format!("host: h\nrelease: {version}.0\nLLVM version: 22.1.8\n");
        Compiler::told(&root.join("bin"), root, &about).unwrap()
    }

    fn program(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn library(compiler: &Compiler, file: &str) {
        program(&compiler.sysroot.join("lib/rustlib").join(file));
    }

    fn linker() -> Vec<(u32, PathBuf)> {
        vec![(22, PathBuf::from("/usr/bin/wasm-ld-22"))]
    }

    const COMPILED: &str = "wasm32-unknown-unknown/lib/libstd-1.rlib";
    const SOURCE: &str = "src/rust/library/Cargo.lock";

    #[test]
    fn an_installed_target_is_taken_before_the_source_and_the_compilers_own_linker_before_another() {
        let root = tempfile::tempdir().unwrap();
        let compiler = compiler(root.path(), "1.99");
        library(&compiler, SOURCE);
        let toolchain = Toolchain::of(&compiler, &linker()).unwrap();
        assert_eq!((toolchain.kind, toolchain.linker), (Kind::Debian, Some(linker().remove(0).1)));
        library(&compiler, COMPILED);
        assert_eq!(Toolchain::of(&compiler, &linker()).unwrap().kind, Kind::Rustup);
        library(&compiler, "h/bin/rust-lld");
        assert_eq!(Toolchain::of(&compiler, &linker()).unwrap().linker, None);
    }

    #[test]
    fn what_a_compiler_lacks_is_said() {
        let root = tempfile::tempdir().unwrap();
        let (old, new) = (compiler(&root.path().join("old"), "1.63"), compiler(&root.path().join("new"), "1.99"));
        let lacks = |compiler, linkers: &[_]| Toolchain::of(compiler, linkers).unwrap_err();
        assert!(lacks(&old, &linker()).starts_with("its version is 1.63, 1."));
        assert!(lacks(&new, &linker()).contains("no standard library for wasm32-unknown-unknown, nor its source"));
        library(&new, SOURCE);
        assert!(lacks(&new, &[]).contains("no wasm-ld"));
    }

    #[test]
    fn a_record_whose_programs_are_gone_is_refused_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let compiler = compiler(&root.path().join("rust"), "1.99");
        library(&compiler, COMPILED);
        library(&compiler, "h/bin/rust-lld");
        let toolchain = Toolchain::of(&compiler, &[]).unwrap();
        toolchain.record(root.path()).unwrap();
        assert_eq!(Toolchain::recorded(root.path()).unwrap(), Some(toolchain));
        fs::remove_file(&compiler.cargo).unwrap();
        let error = Toolchain::recorded(root.path()).unwrap_err().to_string();
        assert!(
            error.contains(&compiler.cargo.display().to_string()) && error.contains("cargo xtask setup"),
            "{error}"
        );
    }
}
