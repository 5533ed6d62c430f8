//! `cargo xtask setup`: sees that the guests can be built on this machine.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use guest_build::{Compiler, NoToolchain, RECORD, StandardLibrary, TARGET, Toolchain, linkers};

use crate::apt::Apt;
use crate::process::{on_path, run};

/// How long rustup may take for a target, which is some 20 MB. Behind a firewall it can hang where it should fail.
const RUSTUP_LIMIT: Duration = Duration::from_secs(60);

/// Debian's packages of a Rust that is kept recent for its web browsers, and of the standard library's source.
const DEBIAN_RUST: &[&str] = &["rustc-web", "cargo-web", "rust-web-src"];

/// Sees that all is there, installs what is missing, and records the toolchain for the workspace at `root`.
pub fn setup(root: &Path) -> Result<()> {
    c_compiler()?;
    // A damaged or outdated record is no reason to stop here: this is the command that makes a new one.
    let recorded = Toolchain::recorded(root).ok().flatten().filter(Toolchain::is_whole);
    let toolchain = match recorded {
        Some(toolchain) => toolchain,
        None => Toolchain::find().or_else(|missing| install(&missing))?,
    };
    toolchain.record(root)?;
    println!("setup: guests are built by {toolchain} ({RECORD})");
    Ok(())
}

/// Some of the host's dependencies are C.
fn c_compiler() -> Result<()> {
    if on_path("cc").is_some() {
        return Ok(());
    }
    println!("setup: there is no C compiler `cc`, which the host's dependencies need");
    Apt::new()
        .and_then(|mut apt| apt.install(&["gcc", "libc6-dev"]))
        .context("a C compiler is missing: install one so that `cc` is on the PATH, and run this again")
}

/// A way to come by a toolchain: what it is called, and what tries it.
type Way = (&'static str, fn() -> Result<()>);

/// Tries one way after the other, until there is a toolchain.
fn install(missing: &NoToolchain) -> Result<Toolchain> {
    println!("setup: {missing}");
    let ways: [Way; 2] = [("rustup", through_rustup), ("Debian's packages", through_debian)];
    let mut tried = String::new();
    for (name, way) in ways {
        println!("setup: trying {name}");
        // A way that ends well and still leaves something missing is one that failed.
        match way().and_then(|()| Ok(Toolchain::find()?)) {
            Ok(toolchain) => return Ok(toolchain),
            Err(error) => {
                println!("setup: {name} did not do");
                tried.push_str(&format!("\n- {name}: {error:#}"));
            }
        }
    }
    Err(anyhow!(
        "the guests can't be built on this machine, and what they need could not be installed. Tried:{tried}\n\
        Do one of these, and run this again:\n\
        - with rustup (https://rustup.rs) and a way to Rust's servers: rustup target add {TARGET}\n\
        - on Debian 12, as root: apt-get install {} lld-N (the newest N there is)\n\
        - any other Rust from {} on, with the standard library for {TARGET} in its sysroot and wasm-ld, on the PATH",
        DEBIAN_RUST.join(" "),
        env!("CARGO_PKG_RUST_VERSION"),
    ))
}

fn through_rustup() -> Result<()> {
    let rustup = on_path("rustup").context("there is no rustup on the PATH")?;
    run(Command::new(rustup).args(["target", "add", TARGET]), RUSTUP_LIMIT)
}

fn through_debian() -> Result<()> {
    let mut apt = Apt::new()?;
    let packaged = || {
        let compilers = Compiler::all().into_iter();
        compilers.filter(Compiler::is_new_enough).find(|rust| rust.standard_library() != StandardLibrary::Missing)
    };
    let rust = match packaged() {
        Some(rust) => rust,
        None => {
            apt.install(DEBIAN_RUST)?;
            packaged().with_context(|| {
                let (major, minor) = Compiler::needed();
                format!("the Rust in its packages is older than {major}.{minor}, or not on the PATH")
            })?
        }
    };
    if rust.has_linker() || linkers().first().is_some_and(|(version, _)| *version >= rust.llvm) {
        return Ok(());
    }
    // The linker of the compiler's own LLVM understands all that the compiler writes; an older one may do.
    let linker = format!("lld-{}", rust.llvm);
    if let Err(error) = apt.install(&[&linker]) {
        println!("  {error:#}");
        if linkers().is_empty() {
            apt.install(&["lld"])?;
        }
    }
    if linkers().is_empty() {
        bail!("its lld has no wasm-ld on the PATH");
    }
    Ok(())
}
