//! The surroundings of a cargo that runs inside another cargo's build script.
//!
//! The outer cargo sets dozens of variables for its build scripts: its compiler, its wrappers, its flags, its jobs.
//! Inherited, they make the inner one take the wrong compiler, or flags for another target. So it gets none of them but
//! those that say where registries are and how to reach them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, iter};

use anyhow::{Context, Result};

use crate::TARGET;
use crate::compiler::Compiler;
use crate::toolchain::{Kind, Toolchain};

/// What stays of the variables that [`belongs_to_cargo`], by name or, with a `_` at its end, by beginning.
const KEPT: &[&str] = &[
    "CARGO_HOME",
    // How a site reaches its registry: proxies, certificates, mirrors.
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_SOURCE_",
    "RUSTUP_HOME",
];

/// Whether a variable is one that cargo, rustup or a build script's user sets for compilations.
fn belongs_to_cargo(name: &str) -> bool {
    const BEGINNINGS: &[&str] = &["CARGO", "RUST", "LD_", "DYLD_", "DEP_"];
    const NAMES: &[&str] =
        &["MAKEFLAGS", "MFLAGS", "OUT_DIR", "TARGET", "HOST", "PROFILE", "OPT_LEVEL", "DEBUG", "NUM_JOBS"];
    BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) || NAMES.contains(&name)
}

fn is_kept(name: &str, kind: Kind) -> bool {
    KEPT.iter().any(|kept| name == *kept || kept.ends_with('_') && name.starts_with(kept))
        // Programs that a dependency's build script starts then find the same toolchain.
        || name == "RUSTUP_TOOLCHAIN" && kind == Kind::Rustup
}

/// The toolchain's cargo in clean surroundings, to be run at the workspace's `root`.
pub(crate) fn cargo(toolchain: &Toolchain, root: &Path) -> Result<Command> {
    let mut cargo = Command::new(&toolchain.cargo);
    cargo.current_dir(root);
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| belongs_to_cargo(name) && !is_kept(name, toolchain.kind)) {
            cargo.env_remove(name);
        }
    }
    cargo.env("RUSTC", &toolchain.rustc);
    if let Some(linker) = &toolchain.linker {
        cargo.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
    }
    if toolchain.kind == Kind::Debian {
        // Building the standard library is an unstable option of cargo, which this lets a stable one take.
        cargo.env("RUSTC_BOOTSTRAP", "1");
    }
    // Also when empty this wins over the flags in a person's own configuration, which are meant for native programs.
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags(toolchain, root)?);
    Ok(cargo)
}

/// The options of `cargo rustc` that go with the toolchain.
pub(crate) fn options(toolchain: &Toolchain) -> impl Iterator<Item = &'static str> {
    let source = (toolchain.kind == Kind::Debian).then_some("-Zbuild-std=std,panic_abort");
    ["--target", TARGET].into_iter().chain(source)
}

/// Takes this machine's folders out of the paths that panics carry, so that a guest says nothing about the machine that
/// built it, and the same source gives the same bytes in any folder.
fn flags(toolchain: &Toolchain, root: &Path) -> Result<String> {
    let compiler = Compiler::ask(toolchain.rustc.parent().unwrap_or(Path::new("/")))?;
    let source = compiler.source();
    let home = env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| Some(env::home_dir()?.join(".cargo")));
    let folders = [(Some(root.to_owned()), "/fedtail"), (home, "/cargo")];
    // Debian's is a link, and cargo may name either end of it.
    let library = source.canonicalize().into_iter().chain(iter::once(source)).map(|path| (Some(path), "/rust/library"));
    let flag = |(folder, name): (Option<PathBuf>, &str)| {
        let folder = folder?;
        let text = folder.to_str().with_context(|| format!("the path {folder:?} is not valid UTF-8"));
        Some(text.map(|folder| format!("--remap-path-prefix={folder}={name}")))
    };
    let flags: Vec<_> = folders.into_iter().chain(library).filter_map(flag).collect::<Result<_>>()?;
    // The separator that cargo defines for this variable: a path may have spaces in it.
    Ok(flags.join("\u{1f}"))
}

/// How many jobs the outer cargo was told to run, if it said so.
pub(crate) fn jobs() -> Option<String> {
    env::var_os("NUM_JOBS").as_deref().and_then(OsStr::to_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_cargos_variables_only_the_way_to_the_registry_stays() {
        let passes = |name, kind| !belongs_to_cargo(name) || is_kept(name, kind);
        for name in ["PATH", "HOME", "https_proxy", "CARGO_HOME", "CARGO_HTTP_CAINFO", "CARGO_NET_OFFLINE", "HOSTNAME"]
        {
            assert!(passes(name, Kind::Debian), "{name}");
        }
        for name in ["CARGO", "CARGO_ENCODED_RUSTFLAGS", "CARGO_HOMES", "CARGO_BUILD_TARGET", "RUSTC", "RUSTFLAGS"] {
            assert!(!passes(name, Kind::Debian), "{name}");
        }
        for name in ["RUSTC_WORKSPACE_WRAPPER", "LD_LIBRARY_PATH", "DEP_Z_ROOT", "TARGET", "OUT_DIR", "CARGO_MAKEFLAGS"]
        {
            assert!(!passes(name, Kind::Rustup), "{name}");
        }
        assert!(passes("RUSTUP_TOOLCHAIN", Kind::Rustup) && !passes("RUSTUP_TOOLCHAIN", Kind::Debian));
    }
}
