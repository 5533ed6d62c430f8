use std::path::PathBuf;

use clap::Args;
use fedtail::policy::Digest;
use fedtail::policy::trust::{PublicKey, Trust};

use crate::exit::{Exit, Failure};
use crate::out;

#[derive(Args)]
pub struct Options {
    /// A key that is trusted, as `fedtail policy keygen` printed it. Repeatable: one of them has to have signed.
    #[arg(long, value_name = "KEY", required = true)]
    key: Vec<String>,
    /// The policy; its signature is beside it, in F.wasm.sig.
    #[arg(value_name = "F.wasm")]
    policy: PathBuf,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    let keys = options.key.iter().map(|key| key.parse::<PublicKey>().map_err(Failure::usage));
    let trust = Trust { keys: keys.collect::<Result<_, _>>()? };
    let bytes = super::component(&options.policy)?;
    let signed_by = trust.check(&options.policy, &bytes).map_err(Failure::refused)?;
    if let Some(key) = signed_by {
        out::line(format_args!("{} {} signed with {key}", options.policy.display(), Digest::of(&bytes)));
    }
    Ok(Exit::Complete)
}
