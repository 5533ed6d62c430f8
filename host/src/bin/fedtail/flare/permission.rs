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

/// Why a workspace's site does not let its logs be streamed, in words; none if it does.
pub fn refusal_of_workspace(workspace: &Path) -> Option<String> {
    FILES
        .iter()
        .map(|file| workspace.join("local").join(file))
        .find(|path| path.exists())
        .and_then(|path| refusal(&path))
}

/// The same from one file of settings.
pub fn refusal(path: &Path) -> Option<String> {
    let shown = path.display();
    let unknown = |reason: String| Some(format!("whether the site allows it is not known: {shown}: {reason}"));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        // Taken away between two looks: nothing is said.
        Err(e) if e.kind() == ErrorKind::NotFound => return None,
        Err(e) => return unknown(e.to_string()),
    };
    match serde_json::from_str(&text) {
        Ok(Value::Object(settings)) => match settings.get(SETTING) {
            None | Some(Value::Bool(true)) => None,
            Some(Value::Bool(false)) => Some(format!("{SETTING:?} is false in {shown}")),
            Some(other) => unknown(format!("{SETTING:?} is {other}, which is neither true nor false")),
        },
        Ok(_) => unknown("it is not a JSON object".into()),
        Err(e) => unknown(format!("it is not JSON: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_understood_as_a_yes_is_one() {
        let root = tempfile::tempdir().unwrap();
        let local = root.path().join("local");
        assert_eq!(refusal_of_workspace(root.path()), None, "nothing is said");
        std::fs::create_dir(&local).unwrap();
        for (text, words) in [
            ("{\"allow_log_streaming\": true}", None),
            ("{}", None),
            ("{\"allow_log_streaming\": false}", Some("\"allow_log_streaming\" is false in ")),
            ("{\"allow_log_streaming\": \"no\"}", Some("is \"no\", which is neither true nor false")),
            ("[]", Some("it is not a JSON object")),
            ("{\"allow_log_", Some("it is not JSON: EOF")),
        ] {
            std::fs::write(local.join("resources.json"), text).unwrap();
            let refusal = refusal_of_workspace(root.path());
            assert_eq!(refusal.is_some(), words.is_some(), "{text}: {refusal:?}");
            assert!(refusal.unwrap_or_default().contains(words.unwrap_or_default()), "{text}");
        }
    }

    #[test]
    fn what_the_site_was_delivered_with_counts_where_it_has_nothing_of_its_own() {
        let root = tempfile::tempdir().unwrap();
        let local = root.path().join("local");
        std::fs::create_dir(&local).unwrap();
        std::fs::write(local.join("resources.json.default"), "{\"allow_log_streaming\": false}").unwrap();
        assert!(refusal_of_workspace(root.path()).unwrap().ends_with("resources.json.default"));
        std::fs::write(local.join("resources.json"), "{}").unwrap();
        assert_eq!(refusal_of_workspace(root.path()), None);
    }
}
