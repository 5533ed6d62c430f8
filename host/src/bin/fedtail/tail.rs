use clap::Args;

use crate::exit::{Exit, Failure};

#[derive(Args)]
pub struct Options {}

pub async fn run(_options: Options) -> Result<Exit, Failure> {
    Err(Failure::start("to be written"))
}
