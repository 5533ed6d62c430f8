//! Which files of a job are logs to be streamed.

use std::collections::BTreeSet;
use std::str::FromStr;

use globset::{Glob, GlobMatcher};

/// A name or a pattern of names, such as `log.txt` or `*.txt`.
#[derive(Debug, Clone)]
pub struct Pattern(GlobMatcher);

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('/') {
            return Err("it is the name of a log in its job's directory, or a pattern of names: without a path".into());
        }
        Glob::new(text).map(|glob| Self(glob.compile_matcher())).map_err(|e| e.kind().to_string())
    }
}

/// The names among these that are logs. What a log was rotated to belongs to it and is none of its own.
pub fn selected<'a>(patterns: &[Pattern], names: &BTreeSet<&'a str>) -> Vec<&'a str> {
    let matching = |name: &str| patterns.iter().any(|Pattern(pattern)| pattern.is_match(name));
    let logs: Vec<_> = names.iter().copied().filter(|name| matching(name)).collect();
    logs.iter().copied().filter(|name| !logs.iter().any(|log| is_rotated(name, log))).collect()
}

/// Whether a name is a log's with a number or a date behind it: `log.txt.1`, `log.txt-20261124.gz`.
fn is_rotated(name: &str, log: &str) -> bool {
    let behind = name.strip_prefix(log).and_then(|rest| rest.strip_prefix(['.', '-', '_']));
    behind.is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(patterns: &[&str], names: &[&'static str]) -> Vec<&'static str> {
        let patterns: Vec<Pattern> = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
        selected(&patterns, &names.iter().copied().collect())
    }

    #[test]
    fn patterns_select_logs_and_what_was_rotated_belongs_to_its_log() {
        let names = ["log.txt", "log.txt.1", "log.txt-20261124.gz", "log_fl.txt", "meta.json", "log.json"];
        assert_eq!(select(&["log.txt"], &names), ["log.txt"]);
        assert_eq!(select(&["log*"], &names), ["log.json", "log.txt", "log_fl.txt"]);
        assert_eq!(select(&["*.txt", "log.json"], &names), ["log.json", "log.txt", "log_fl.txt"]);
        assert!(select(&["none"], &names).is_empty());
    }

    #[test]
    fn a_path_or_a_broken_pattern_is_refused_in_words() {
        assert!("../log.txt".parse::<Pattern>().unwrap_err().contains("without a path"));
        assert!("[".parse::<Pattern>().unwrap_err().contains("unclosed character class"));
    }
}
