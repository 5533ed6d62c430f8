//! `guest-build PACKAGE FILE.wasm`: builds a guest crate of this workspace into a component.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use guest_build::GuestBuild;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [package, file] = arguments.as_slice() else {
        eprintln!("Usage: guest-build PACKAGE FILE.wasm");
        return ExitCode::from(2);
    };
    match build(package, Path::new(file)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build(package: &str, file: &Path) -> Result<String> {
    // This crate lies in the root of its workspace.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("this crate is in no workspace")?;
    let guest = GuestBuild::new(root, &root.join("target"))?.build(package)?;
    std::fs::write(file, guest.component()).with_context(|| format!("{} could not be written", file.display()))?;
    let imports = guest.imports().join(", ");
    Ok(format!("{}: {} bytes; imports {imports}", file.display(), guest.component().len()))
}
