use std::path::PathBuf;

use clap::Args;
use fedtail::policy::trust::{SecretKey, signature_file};

use crate::exit::{Exit, Failure};
use crate::out;

#[derive(Args)]
pub struct Options {
    /// The secret key, as `fedtail policy keygen` made it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The policy.
    #[arg(value_name = "F.wasm")]
    policy: PathBuf,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    let key = SecretKey::read(&options.key)?;
    let bytes = super::component(&options.policy)?;
    let file = signature_file(&options.policy);
    // In one step, so that a program that watches never reads half of it.
    let draft = super::beside(&file, ".part");
    std::fs::write(&draft, format!("{}\n", key.sign(&bytes)))
        .and_then(|()| std::fs::rename(&draft, &file))
        .map_err(|e| Failure::start(format!("{}: the signature cannot be written: {e}", file.display())))?;
    out::line(format_args!("{} signed with {}", file.display(), key.public()));
    Ok(Exit::Complete)
}
