//! Compiles the wire format, builds the two default policies that the program carries, and packs what policies are
//! written with.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use anyhow::{Context, Result, bail};
use guest_build::GuestBuild;

/// The default policies: the file that the library includes, and the crate that it is made from.
const POLICIES: [(&str, &str); 2] =
    [("streamer.wasm", "fedtail-guest-streamer"), ("receiver.wasm", "fedtail-guest-receiver")];

/// The only package that a default policy may import from.
const CONTRACT: &str = "fedtail:policy/";

fn main() -> ExitCode {
    match wire().and_then(|()| policies()).and_then(|()| sdk()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One directive a line: this way cargo shows the words as an error of its own, without the script's output.
            format!("{error:#}").lines().for_each(|line| println!("cargo::error={line}"));
            ExitCode::FAILURE
        }
    }
}

/// Compiles `proto/wire.proto` with protox, so that nobody needs `protoc`.
fn wire() -> Result<()> {
    println!("cargo::rerun-if-changed=proto/wire.proto");
    let descriptors = protox::compile(["proto/wire.proto"], ["proto"])?;
    // `Bytes` shares the receive buffer, so a payload is not copied on its way to the store.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}

/// Builds the default policies into `OUT_DIR/streamer.wasm` and `OUT_DIR/receiver.wasm`.
fn policies() -> Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo has not set OUT_DIR")?);
    let guests = GuestBuild::from_build_script()?;
    for (file, package) in POLICIES {
        let policy = guests.build(package)?;
        policy.inputs().for_each(|input| println!("cargo::rerun-if-changed={}", input.display()));
        if let Some(foreign) = policy.imports().iter().find(|import| !import.starts_with(CONTRACT)) {
            bail!("the policy {package} imports {foreign}; a default policy imports nothing but the contract");
        }
        let path = out.join(file);
        fs::write(&path, policy.component()).with_context(|| format!("{} could not be written", path.display()))?;
    }
    Ok(())
}

/// What the policies of others are written with, in the root of this workspace: the library, and the contract beside it.
const SDK: [&str; 4] = ["policy-sdk/Cargo.toml", "policy-sdk/src", "policy-sdk/python", "wit"];

/// Writes `OUT_DIR/sdk.rs`: an array of the SDK's files, each with its path and its text, so that who has the program
/// alone can make a policy's project.
fn sdk() -> Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").context("cargo has not set CARGO_MANIFEST_DIR")?);
    let root = manifest.parent().with_context(|| format!("{} is in no workspace", manifest.display()))?;
    let mut files = Vec::new();
    for part in SDK {
        // Of a folder cargo looks at all that is in it.
        println!("cargo::rerun-if-changed={}", root.join(part).display());
        list(&root.join(part), &mut files)?;
    }
    files.sort();
    let mut text = String::from("[\n");
    for file in files {
        let name =
            file.strip_prefix(root)?.to_str().with_context(|| format!("{} is not valid UTF-8", file.display()))?;
        text.push_str(&format!("    ({name:?}, include_str!({file:?})),\n"));
    }
    text.push_str("]\n");
    let path = PathBuf::from(env::var_os("OUT_DIR").context("cargo has not set OUT_DIR")?).join("sdk.rs");
    fs::write(&path, text).with_context(|| format!("{} could not be written", path.display()))
}

/// The files at and below a path.
fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    // What Python keeps of a run.
    if path.ends_with("__pycache__") {
        return Ok(());
    }
    let entries = fs::read_dir(path).with_context(|| format!("{} could not be read", path.display()))?;
    for entry in entries {
        list(&entry?.path(), files)?;
    }
    Ok(())
}
