//! Settings from a file: the same names as the flags, in TOML. Flags win; an unknown key is an error that names it.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::exit::Failure;

/// Reads a file of settings.
pub fn read<T: DeserializeOwned>(file: &Path) -> Result<T, Failure> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Failure::usage(format!("the configuration {} cannot be read: {e}", file.display())))?;
    toml::from_str(&text).map_err(|e| {
        let line = e.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
        Failure::usage(format!("the configuration {}, line {line}: {}", file.display(), e.message()))
    })
}

/// A flag's or a setting's time: `500ms`, `30s`, `5m`, `24h`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Time(pub Duration);

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match humantime::parse_duration(text) {
            Ok(time) => Ok(Self(time)),
            Err(_) => Err(format!("{text:?} is no time; write it like 500ms, 30s or 5m")),
        }
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// What is needed, from wherever it came.
pub fn needed<T>(value: Option<T>, flag: &str) -> Result<T, Failure> {
    value.ok_or_else(|| {
        let key = flag.trim_start_matches('-');
        Failure::usage(format!("{flag} is missing (or `{key}` in the file given with --config); see --help"))
    })
}

/// A list from flags, or from the file where there are no flags.
pub fn list<T>(flags: Vec<T>, file: Vec<T>) -> Vec<T> {
    if flags.is_empty() { file } else { flags }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "kebab-case")]
    struct Sample {
        idle_timeout: Option<Time>,
    }

    fn sample(text: &str) -> Result<Sample, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        read(file.path()).map_err(|failure| failure.words)
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let words = sample("idle-timeout = \"5m\"\nidle-timeot = \"5s\"\n").unwrap_err();
        assert!(words.contains("line 2") && words.contains("idle-timeot"), "{words}");
        assert_eq!(sample("idle-timeout = \"5m\"").unwrap().idle_timeout, Some(Time(Duration::from_mins(5))));
    }

    #[test]
    fn a_time_without_a_unit_is_refused_with_an_example() {
        let words = sample("idle-timeout = \"30\"").unwrap_err();
        assert!(words.contains("\"30\" is no time; write it like 500ms"), "{words}");
    }
}
