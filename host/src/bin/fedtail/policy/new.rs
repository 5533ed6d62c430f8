use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::template::Template;
use crate::exit::{Exit, Failure};
use crate::out;

#[derive(Args)]
pub struct Options {
    /// The policy's name: a folder of this name is made here, and a package of this name in it.
    #[arg(value_name = "NAME")]
    name: String,
    /// What it is written in.
    #[arg(long)]
    lang: Language,
    /// What to begin with.
    #[arg(long, default_value = "redact")]
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Small and fast; needs a Rust toolchain.
    Rust,
    /// Needs componentize-py; the component has 18 MB.
    Python,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// At a site: one function over lines, which changes or drops them.
    Redact,
    /// At a site: the whole interface.
    Streamer,
    /// At the server: what is taken.
    Receiver,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    let name = &options.name;
    check_name(name)?;
    let folder = Path::new(name);
    if folder.symlink_metadata().is_ok() {
        return Err(Failure::start(format!("{name} is there already: choose another name, or move it away")));
    }
    let template = Template::of(options.lang, options.kind);
    // Under another name until it is whole, so that what failed half way is not taken for a project.
    let draft = PathBuf::from(format!(".{name}.{}.part", std::process::id()));
    template.write(&draft, name).and_then(|()| fs::rename(&draft, folder)).map_err(|error| {
        // The first error is the one to tell.
        let _ = fs::remove_dir_all(&draft);
        Failure::start(format!("the project {name} cannot be written here: {error}"))
    })?;
    out::line(format_args!("{name}/ is a {} policy; its README.md says more. Next:", template.kind()));
    for step in template.steps(name) {
        out::line(format_args!("  {step}"));
    }
    Ok(Exit::Complete)
}

/// Names of crates that cargo does not take for a library, or that would be mistaken for the compiler's own.
const RESERVED: [&str; 7] = ["alloc", "core", "proc_macro", "sdk", "self", "std", "test"];

/// Words of Rust, which no crate can be called.
const KEYWORDS: &str = " abstract as async await become box break const continue crate do dyn else enum extern false final \
     fn for gen if impl in let loop macro match mod move mut override priv pub ref return static struct super trait true \
     try type typeof unsafe unsized use virtual where while yield ";

/// A name that is good for a folder, a package and a file on any system.
fn check_name(name: &str) -> Result<(), Failure> {
    let is_well_formed = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.len() <= 64
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '-' | '_'));
    if !is_well_formed {
        return Err(Failure::usage(format!(
            "{name:?} is no name for a policy: lower-case letters, digits, - and _, a letter first, at most 64; such as \
             hide-names"
        )));
    }
    let crate_name = name.replace('-', "_");
    if RESERVED.contains(&crate_name.as_str())
        || crate_name.starts_with("fedtail")
        || KEYWORDS.contains(&format!(" {crate_name} "))
    {
        return Err(Failure::usage(format!("the name {name:?} means something else to cargo: choose another one")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_cargo_takes() {
        for good in ["a", "hide-names", "level_2"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", "A", "2nd", "-a", "a/b", "..", "a b", "ä", &"a".repeat(65)] {
            assert!(
                check_name(bad).unwrap_err().words.contains("is no name for a policy: lower-case letters"),
                "{bad}"
            );
        }
        for bad in ["test", "proc-macro", "fedtail", "fedtail-policy-sdk", "impl"] {
            assert!(check_name(bad).unwrap_err().words.contains("means something else to cargo"), "{bad}");
        }
    }
}
