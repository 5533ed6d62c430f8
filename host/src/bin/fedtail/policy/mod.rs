//! `fedtail policy`: what the person does who writes policies, or looks after them.

mod build;
mod inspect;
mod keygen;
mod new;
mod python;
mod reload;
mod sign;
mod template;
mod test;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use crate::exit::{Exit, Failure};

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a policy's project, which builds and passes its tests at once.
    New(new::Options),
    /// Build a policy's project into a component.
    Build(build::Options),
    /// Say what a component is, what it can reach, and whether it is a policy that this program runs.
    Inspect(inspect::Options),
    /// Run a policy through simulated faults, and check that it does what one of its kind promises.
    Test(test::Options),
    /// Make a key that signs policies.
    Keygen(keygen::Options),
    /// Sign a policy: writes F.wasm.sig beside it.
    Sign(sign::Options),
    /// Check a policy's signature.
    Verify(verify::Options),
    /// Let running programs of this user read their policies again, now.
    Reload(reload::Options),
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    match options.command {
        Command::New(options) => new::run(&options),
        Command::Build(options) => build::run(&options),
        Command::Inspect(options) => inspect::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Keygen(options) => keygen::run(&options),
        Command::Sign(options) => sign::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Reload(options) => reload::run(&options).await,
    }
}

/// The bytes of a policy's file.
fn component(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file).map_err(|e| Failure::start(format!("the policy {} cannot be read: {e}", file.display())))
}

/// A path with something behind it.
fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}
