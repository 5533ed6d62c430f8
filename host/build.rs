//! Compiles the wire format, and builds the two default policies that the program carries.

use std::path::PathBuf;
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
    match wire().and_then(|()| policies()) {
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
