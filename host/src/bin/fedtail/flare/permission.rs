//! Whether a site lets logs leave at all: `allow_log_streaming` in its `local/resources.json`.
//!
//! Streaming is allowed where nothing is said, as in FLARE. What can't be read or understood is a no: a site that wrote
//! something there meant something by it.

use std::io::ErrorKind;
use std::path::Path;

use serde_json::Value;

/// The setting, as FLARE names it.
const SETTING: &str = "allow_log_streaming";
/// The site's settings, and those that it was delivered with, which FLARE reads where the first are not there.
const FILES: [&str; 2] = ["resources.json", "resources.json.default"];

/// What a site says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    Given,
    /// It has said nothing yet, and how this shows: in a job's own container the workspace is filled when the job begins.
    Awaited(String),
    /// It says no, and where.
    Denied(String),
}

/// What the site of a workspace says.
pub fn of_workspace(workspace: &Path) -> Permission {
    let local = workspace.join("local");
    if !local.is_dir() {
        return Permission::Awaited(format!("the site's settings are not there, {}", local.display()));
    }
    let file = FILES.iter().map(|file| local.join(file)).find(|path| path.exists());
    file.map_or(Permission::Given, |path| of_settings(&path))
}

fn of_settings(path: &Path) -> Permission {
    let shown = path.display();
    let unknown =
        |reason: String| Permission::Denied(format!("whether the site allows it is not known: {shown}: {reason}"));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        // Taken away between two looks: nothing is said.
        Err(e) if e.kind() == ErrorKind::NotFound => return Permission::Given,
        Err(e) => return unknown(e.to_string()),
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(settings)) => match settings.get(SETTING) {
            None | Some(Value::Bool(true)) => Permission::Given,
            Some(Value::Bool(false)) => Permission::Denied(format!("{SETTING:?} is false in {shown}")),
            Some(other) => unknown(format!("{SETTING:?} is {other}, which is neither true nor false")),
        },
        Ok(_) => unknown("it is not a JSON object".into()),
        Err(e) => unknown(format!("it is not JSON: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denied(workspace: &Path) -> Option<String> {
        match of_workspace(workspace) {
            Permission::Given => None,
            Permission::Awaited(words) => panic!("it has settings: {words}"),
            Permission::Denied(words) => Some(words),
        }
    }

    #[test]
    fn only_what_is_understood_as_a_yes_is_one() {
        let root = tempfile::tempdir().unwrap();
        let local = root.path().join("local");
        assert!(matches!(of_workspace(root.path()), Permission::Awaited(words) if words.ends_with("/local")));
        std::fs::create_dir(&local).unwrap();
        assert_eq!(denied(root.path()), None, "nothing is said");
        for (text, words) in [
            ("{\"allow_log_streaming\": true}", None),
            ("{}", None),
            ("{\"allow_log_streaming\": false}", Some("\"allow_log_streaming\" is false in ")),
            ("{\"allow_log_streaming\": \"no\"}", Some("is \"no\", which is neither true nor false")),
            ("[]", Some("it is not a JSON object")),
            ("{\"allow_log_", Some("it is not JSON: EOF")),
        ] {
            std::fs::write(local.join("resources.json"), text).unwrap();
            let denied = denied(root.path());
            assert_eq!(denied.is_some(), words.is_some(), "{text}: {denied:?}");
            assert!(denied.unwrap_or_default().contains(words.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn what_the_site_was_delivered_with_counts_where_it_has_nothing_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let local = root.path().join("local");
        std::fs::create_dir(&local).unwrap();
        std::fs::write(local.join("resources.json.default"), "{\"allow_log_streaming\": false}").unwrap();
        assert!(denied(root.path()).unwrap().ends_with("resources.json.default"));
        std::fs::write(local.join("resources.json"), "{}").unwrap();
        assert_eq!(denied(root.path()), None);
    }
}
