//! `fedtail audit`: checks what a site wrote about what has left it.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::{Exit, Failure};
use crate::out;

#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check that no line of an audit file was changed, taken out, put in or moved.
    Verify(Verify),
}

#[derive(Args)]
struct Verify {
    /// The hash of a line that was noted before: it has to be in the file still, so that the file can't have been made anew.
    #[arg(long, value_name = "HASH")]
    noted: Option<String>,
    /// The audit file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    let Command::Verify(Verify { noted, file }) = &options.command;
    let verified = fedtail::audit::verify(file, noted.as_deref())?;
    if let Some(noted) = noted
        && !verified.has_hash
    {
        let file = file.display();
        return Err(Failure::start(format!(
            "{file}: its chain holds, but {noted} is not in it: lines were cut off its end, or all of it was made anew"
        )));
    }
    let repaired = match verified.repaired {
        0 => String::new(),
        lines => format!(", {lines} torn lines told of"),
    };
    let torn = match verified.torn {
        0 => String::new(),
        bytes => format!(", {bytes} bytes of a torn line at its end"),
    };
    out::line(format_args!(
        "{}: {} entries hold{repaired}{torn}; last {}",
        file.display(),
        verified.entries,
        verified.last
    ));
    Ok(Exit::Complete)
}
