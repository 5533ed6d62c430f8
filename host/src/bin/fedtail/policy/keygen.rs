use std::path::PathBuf;

use clap::Args;
use fedtail::policy::trust::SecretKey;

use crate::exit::{Exit, Failure};
use crate::out;

#[derive(Args)]
pub struct Options {
    /// Where the secret key is written; the public key is written beside it, with .pub behind the name. A file that is
    /// there is never overwritten.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    let key = SecretKey::generate()?;
    key.write(&options.file)?;
    let public = super::beside(&options.file, ".pub");
    std::fs::write(&public, format!("{}\n", key.public()))
        .map_err(|e| Failure::start(format!("{}: the public key cannot be written: {e}", public.display())))?;
    out::line(key.public());
    Ok(Exit::Complete)
}
