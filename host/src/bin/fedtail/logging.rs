//! The program's own log: to standard error, so that standard output stays what others read.

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::exit::Failure;

#[derive(Args)]
pub struct Options {
    /// Say more: -v what happens to streams and connections, -vv everything. RUST_LOG wins.
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
    /// How the program's own log is written to standard error.
    #[arg(long, value_enum, default_value_t = Format::Text, global = true)]
    log_format: Format,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Text,
    Json,
}

impl Options {
    /// Starts the log.
    pub fn start(&self) -> Result<(), Failure> {
        let filter = match std::env::var("RUST_LOG") {
            Ok(filter) => EnvFilter::try_new(&filter)
                .map_err(|e| Failure::usage(format!("RUST_LOG={filter:?} cannot be used: {e}")))?,
            Err(_) => EnvFilter::new(match self.verbose {
                0 => "fedtail=warn",
                1 => "fedtail=info",
                _ => "fedtail=debug",
            }),
        };
        let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
        match self.log_format {
            Format::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
            Format::Json => log.json().init(),
        }
        Ok(())
    }
}
