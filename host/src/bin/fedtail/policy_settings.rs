//! A policy's own settings: `--policy-setting KEY=VALUE`, or the table `policy-settings` of the configuration file.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use fedtail::policy::Promise;
use fedtail::policy::set::Origin;
use fedtail::simulation::Rehearsal;
use serde::Deserialize;

use crate::exit::Failure;

/// One setting of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting(String, String);

impl FromStr for Setting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok(Self(key.into(), value.into())),
            _ => Err("write it as KEY=VALUE, for example level=ERROR".into()),
        }
    }
}

/// What the file says: text, whole numbers and truth values.
#[derive(Debug, Default, Deserialize)]
#[serde(transparent)]
pub struct Table(BTreeMap<String, Value>);

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "a policy's setting is a text, a whole number, true or false")]
enum Value {
    Text(String),
    Number(i64),
    Truth(bool),
}

impl Value {
    fn text(self) -> String {
        match self {
            Value::Text(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Truth(truth) => truth.to_string(),
        }
    }
}

/// The settings of both, each key once; flags win. None without a policy: the built-in one has no settings.
pub fn joined(flags: Vec<Setting>, table: Table, has_policy: bool) -> Result<Vec<(String, String)>, Failure> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for Setting(key, value) in flags {
        if settings.iter().any(|(known, _)| *known == key) {
            return Err(Failure::usage(format!("the policy's setting {key:?} is given twice; give it once")));
        }
        settings.push((key, value));
    }
    for (key, value) in table.0 {
        if !settings.iter().any(|(known, _)| *known == key) {
            settings.push((key, value.text()));
        }
    }
    match settings.first() {
        Some((key, _)) if !has_policy => Err(Failure::usage(format!(
            "the setting {key:?} is for a policy of your own, and the built-in one has none: give --policy too"
        ))),
        _ => Ok(settings),
    }
}

/// What is at --policy, and what it is tried with before streams use it; none for the built-in policy. `kind` is what it
/// is held to.
pub fn chosen(
    policy: Option<PathBuf>,
    settings: Vec<(String, String)>,
    kind: Option<Promise>,
) -> Result<Option<(Origin, Rehearsal)>, Failure> {
    let Some(policy) = policy else {
        return match kind {
            None => Ok(None),
            Some(_) => Err(Failure::usage("--policy-kind is for a policy of your own: give --policy too")),
        };
    };
    match (origin(policy, settings)?, kind) {
        (Origin::Directory(_), Some(kind)) => Err(Failure::usage(format!(
            "--policy-kind {kind} is for one policy, and --policy is a directory: put `kind` into its policies.toml"
        ))),
        (origin, kind) => Ok(Some((origin, Rehearsal::default().promise(kind)))),
    }
}

/// What is at --policy, with these settings.
fn origin(path: PathBuf, settings: Vec<(String, String)>) -> Result<Origin, Failure> {
    match (Origin::at(path), settings.first()) {
        (Origin::File(file, _), _) => Ok(Origin::File(file, settings)),
        (origin, None) => Ok(origin),
        (_, Some((key, _))) => Err(Failure::usage(format!(
            "the setting {key:?} is for one policy, and --policy is a directory: put it into its policies.toml"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_beside_a_directory_of_policies_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        let settings = vec![("a".to_owned(), "1".to_owned())];
        let words = origin(directory.path().into(), settings.clone()).unwrap_err().words;
        assert!(words.contains("\"a\"") && words.contains("policies.toml"), "{words}");
        let file = directory.path().join("p.wasm");
        assert_eq!(origin(file.clone(), settings.clone()).unwrap(), Origin::File(file, settings));
    }

    #[test]
    fn what_a_policy_is_held_to_needs_one_policy() {
        let words = |policy: Option<PathBuf>| chosen(policy, Vec::new(), Some(Promise::Other)).err().unwrap().words;
        assert!(words(None).contains("give --policy too"));
        let directory = tempfile::tempdir().unwrap();
        assert!(words(Some(directory.path().into())).contains("put `kind` into its policies.toml"));
        assert!(chosen(Some("p.wasm".into()), Vec::new(), Some(Promise::Other)).unwrap().is_some());
        assert!(chosen(None, Vec::new(), None).unwrap().is_none());
    }

    fn flags(flags: &[&str]) -> Vec<Setting> {
        flags.iter().map(|flag| flag.parse().unwrap()).collect()
    }

    #[test]
    fn flags_win_over_the_table_and_the_table_takes_more_than_text() {
        let table = toml::from_str("a = \"1\"\nb = 2\nc = true\n").unwrap();
        let settings = joined(flags(&["b=x=y", "d="]), table, true).unwrap();
        let text: Vec<_> = settings.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        assert_eq!(text, ["b:x=y", "d:", "a:1", "c:true"]);
        assert!(toml::from_str::<Table>("a = [1]").unwrap_err().message().contains("a policy's setting is a text"));
    }

    #[test]
    fn a_setting_without_value_twice_or_without_policy_is_refused_in_words() {
        assert!("=x".parse::<Setting>().unwrap_err().contains("KEY=VALUE"));
        assert!("x".parse::<Setting>().is_err());
        let words = |flags, has_policy| joined(flags, Table::default(), has_policy).unwrap_err().words;
        assert!(words(flags(&["a=1", "a=2"]), true).contains("\"a\" is given twice"));
        assert!(words(flags(&["a=1"]), false).contains("give --policy too"));
    }
}
