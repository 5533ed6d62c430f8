use std::path::{Path, PathBuf};

use clap::Args;
use fedtail::policy::{Component, Engine, Inspection, Interface};

use crate::exit::{Exit, Failure};
use crate::out;

#[derive(Args)]
pub struct Options {
    /// A component, whoever made it.
    #[arg(value_name = "F.wasm")]
    policy: PathBuf,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    show(&options.policy)
}

/// Prints what a component is. What this program would not run as a policy is refused.
pub fn show(file: &Path) -> Result<Exit, Failure> {
    let found = Inspection::read(file).map_err(Failure::refused)?;
    let contract: Vec<_> = found.versions().into_iter().collect();
    let state = if found.has_state() { ", with state for its successor" } else { "" };
    let kind = match found.kind() {
        Some(kind) => format!("a {kind} policy of fedtail:policy {}{state}", contract.join(" and ")),
        None => "no policy: it exports neither side of the contract".into(),
    };
    line("file", file.display());
    line("is", kind);
    line("size", format_args!("{} bytes", found.size));
    line("digest", found.digest);
    list("exports", &found.exports);
    list("imports", &found.imports);
    for (number, words) in found.reach().into_iter().enumerate() {
        line(if number == 0 { "it can" } else { "" }, words);
    }
    if found.has_system() {
        line(
            "system",
            "its language's system interface (wasi) is there, with no files, sockets or environment behind it",
        );
    }
    line("it can't", "reach other files, the network, the environment, or other logs: a policy is given none of them");
    let Some(kind) = found.kind() else {
        return Err(Failure::refused(format!("{} is not a policy, and this fedtail would not run it", file.display())));
    };
    let engine = Engine::new(Engine::user_cache()).map_err(Failure::start)?;
    Component::read(&engine, file, kind).map_err(Failure::refused)?;
    line("fits", format_args!("yes: this fedtail runs it as a {kind} policy"));
    Ok(Exit::Complete)
}

/// The most functions of an interface that are named: as many as the contract's have.
const SHOWN: usize = 8;

/// One thing about it, behind what it is.
fn line(what: &str, about: impl std::fmt::Display) {
    out::line(format_args!("{what:<9} {about}"));
}

/// Interfaces, each with the functions of it that are used.
fn list(what: &str, interfaces: &[Interface]) {
    let mut what = what;
    for Interface { name, functions } in interfaces {
        let functions = match functions.len() {
            // What is imported for its types alone reaches nothing.
            0 => "types only".to_owned(),
            1..=SHOWN => functions.join(" "),
            many => format!("{many} functions"),
        };
        line(what, format_args!("{name}: {functions}"));
        what = "";
    }
    if interfaces.is_empty() {
        line(what, "nothing");
    }
}
