//! The file in which a workspace records its toolchain for guests.
//!
//! It is TOML, and of TOML only what it needs: comments, and lines of a key and a quoted text. So reading it costs no
//! dependency in a program that must be compiled before anything else can happen.
//!
//! ```toml
//! kind = "debian"                    # or "rustup"
//! cargo = "/usr/bin/cargo"
//! rustc = "/usr/bin/rustc"
//! linker = "/usr/bin/wasm-ld-22"     # only where the compiler brings none along
//! ```

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};

use crate::toolchain::{Kind, Toolchain};

/// The record's name, at the root of the workspace. It says something about one machine, so it is not committed.
pub const RECORD: &str = ".fedtail-toolchain";

const HEADER: &str = "\
# The toolchain that builds the WebAssembly guests on this machine. `cargo xtask setup` wrote this file; delete it and
# run that again to have the toolchain searched for anew.
";

/// Reads the record of the workspace at `root`; none if there is no such file. Fails where the file can't be read or
/// understood, with its path and what to do.
pub(crate) fn read(root: &Path) -> Result<Option<Toolchain>> {
    let path = root.join(RECORD);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(anyhow!(error).context(format!("{} could not be read", path.display()))),
    };
    let toolchain = parse(&text)
        .with_context(|| format!("{} is damaged: delete it and run `cargo xtask setup`", path.display()))?;
    Ok(Some(toolchain))
}

/// Writes the record of the workspace at `root`, whole or not at all. Leaves a file alone that says the same already,
/// since a changed file makes cargo build the guests again.
pub(crate) fn write(root: &Path, toolchain: &Toolchain) -> Result<()> {
    let path = root.join(RECORD);
    let text = format(toolchain)?;
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let unfinished = root.join(format!("{RECORD}.{}", std::process::id()));
    let written = fs::File::create(&unfinished)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&unfinished, &path));
    if written.is_err() {
        // The first error is the one to tell; that this file may stay behind is harmless.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(|| format!("{} could not be written", path.display()))
}

fn format(toolchain: &Toolchain) -> Result<String> {
    let mut text = format!("{HEADER}kind = \"{}\"\n", toolchain.kind);
    let linker = toolchain.linker.as_ref().map(|linker| ("linker", linker));
    for (key, path) in [("cargo", &toolchain.cargo), ("rustc", &toolchain.rustc)].into_iter().chain(linker) {
        let path = path.to_str().with_context(|| format!("the path {path:?} is not valid UTF-8"))?;
        if path.chars().any(char::is_control) {
            bail!("the path {path:?} has a control character in it");
        }
        let path = path.replace('\\', "\\\\").replace('"', "\\\"");
        text.push_str(&format!("{key} = \"{path}\"\n"));
    }
    Ok(text)
}

fn parse(text: &str) -> Result<Toolchain> {
    let (mut kind, mut cargo, mut rustc, mut linker) = (None, None, None, None);
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let here = || format!("line {}: {line}", number + 1);
        let (key, value) = line.split_once('=').with_context(here)?;
        let value = Some(quoted(value.trim()).with_context(here)?);
        let place = match key.trim() {
            "kind" => &mut kind,
            "cargo" => &mut cargo,
            "rustc" => &mut rustc,
            "linker" => &mut linker,
            _ => return Err(anyhow!("the key is unknown").context(here())),
        };
        *place = value;
    }
    let kind = kind.context("`kind` is missing")?;
    Ok(Toolchain {
        kind: Kind::named(&kind).with_context(|| format!("`kind` is {kind:?}, which is neither rustup nor debian"))?,
        cargo: PathBuf::from(cargo.context("`cargo` is missing")?),
        rustc: PathBuf::from(rustc.context("`rustc` is missing")?),
        linker: linker.map(PathBuf::from),
    })
}

/// A text in double quotes, with `\"` and `\\` in it, and perhaps a comment behind it.
fn quoted(value: &str) -> Result<String> {
    let mut characters = value.strip_prefix('"').context("the value is not in double quotes")?.chars();
    let mut text = String::new();
    loop {
        match characters.next().context("the value has no closing quote")? {
            '"' => break,
            '\\' => match characters.next() {
                Some(escaped @ ('"' | '\\')) => text.push(escaped),
                _ => bail!("only \\\" and \\\\ are understood as escapes"),
            },
            other => text.push(other),
        }
    }
    let rest = characters.as_str().trim();
    if !rest.is_empty() && !rest.starts_with('#') {
        bail!("there is something behind the value");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debian() -> Toolchain {
        Toolchain {
            kind: Kind::Debian,
            cargo: "/usr/bin/cargo".into(),
            rustc: "/odd \"place\"\\rustc".into(),
            linker: Some("/usr/bin/wasm-ld-22".into()),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(read(root.path()).unwrap(), None);
        let rustup = Toolchain { kind: Kind::Rustup, linker: None, ..debian() };
        for toolchain in [debian(), rustup] {
            write(root.path(), &toolchain).unwrap();
            assert_eq!(read(root.path()).unwrap(), Some(toolchain));
        }
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1, "nothing else stays behind");
    }

    #[test]
    fn a_record_that_says_the_same_is_left_alone() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), &debian()).unwrap();
        let path = root.path().join(RECORD);
        let long_ago = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
        fs::File::options().append(true).open(&path).unwrap().set_modified(long_ago).unwrap();
        write(root.path(), &debian()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), long_ago);
    }

    #[test]
    fn the_documented_form_is_read() {
        let text = "# c\nkind = \"debian\"    # or\n\ncargo=\"/c\"\nrustc = \"/r\"\nlinker = \"/l\" # only\n";
        let linker = Some("/l".into());
        let expected = Toolchain { kind: Kind::Debian, cargo: "/c".into(), rustc: "/r".into(), linker };
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn a_damaged_record_is_refused_with_its_path_the_line_and_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join(RECORD);
        for (text, reason) in [
            ("", "`kind` is missing"),
            ("kind = \"rustup\"\ncargo = \"/c\"\n", "`rustc` is missing"),
            ("kind = \"nix\"\ncargo = \"/c\"\nrustc = \"/r\"\n", "neither rustup nor debian"),
            ("kind\n", "line 1: kind"),
            ("kind = rustup\n", "not in double quotes"),
            ("\nkind = \"rustup\n", "line 2: kind"),
            ("kind = \"a\\n\"\n", "escapes"),
            ("kind = \"rustup\" x\n", "behind the value"),
            ("colour = \"red\"\n", "the key is unknown"),
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", read(root.path()).unwrap_err());
            assert!(error.contains(reason), "{text:?}: {error}");
            assert!(error.contains(&path.display().to_string()) && error.contains("cargo xtask setup"), "{error}");
        }
    }
}
