//! `policies.toml`: which component decides about which log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobMatcher};
use serde::Deserialize;

use crate::policy::admission::{Applicant, Custom};
use crate::policy::component::{Digest, Kind};
use crate::policy::error::PolicyError;
use crate::policy::promise::Promise;
use crate::policy::trust::Trust;

/// The file's name in its directory.
pub const FILE: &str = "policies.toml";

/// Failures in a row, without any progress between them, after which a policy is rolled back, unless it is set. Each is
/// followed by a longer pause; five take about three seconds.
pub const STRIKES: u32 = 5;

/// What becomes of a stream whose policy failed again and again, when no earlier policy is left for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Nothing of the log goes on: at a site nothing leaves it, at a server nothing is taken.
    #[default]
    Closed,
    /// The built-in policy goes on, which passes everything.
    Default,
}

/// The file, parsed.
#[derive(Debug)]
pub struct Rules {
    pub rules: Vec<Rule>,
    pub trust: Trust,
    pub on_failure: OnFailure,
    pub strikes: u32,
}

/// Which logs a component is for. The first rule that matches a log is its rule.
#[derive(Debug, Clone)]
pub struct Rule {
    jobs: Patterns,
    logs: Patterns,
    sites: Patterns,
    /// What to admit; none for the built-in policy.
    pub applicant: Option<Applicant>,
    /// The rule's patterns as text: a rule that has them in a later version of the file is the same rule.
    pub lineage: String,
}

impl Rule {
    /// The rule for all logs.
    pub fn for_all(applicant: Option<Applicant>) -> Self {
        let all = || Patterns(None);
        Self { jobs: all(), logs: all(), sites: all(), applicant, lineage: String::new() }
    }

    /// Whether the rule is for this log. A site does not ask by its own name.
    pub fn matches(&self, job: &str, log: &str, site: Option<&str>) -> bool {
        self.jobs.matches(job) && self.logs.matches(log) && site.is_none_or(|site| self.sites.matches(site))
    }
}

/// Patterns of which one has to match; none: everything matches.
#[derive(Debug, Clone)]
struct Patterns(Option<Vec<GlobMatcher>>);

impl Patterns {
    fn matches(&self, name: &str) -> bool {
        self.0.as_ref().is_none_or(|patterns| patterns.iter().any(|pattern| pattern.is_match(name)))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    #[serde(default)]
    on_policy_failure: OnFailure,
    #[serde(default = "strikes")]
    strikes: u32,
    #[serde(default)]
    trusted_keys: Vec<String>,
    #[serde(default)]
    policy: Vec<Entry>,
}

fn strikes() -> u32 {
    STRIKES
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Entry {
    file: Option<String>,
    #[serde(default)]
    built_in: bool,
    jobs: Option<OneOrMore>,
    logs: Option<OneOrMore>,
    sites: Option<OneOrMore>,
    digest: Option<OneOrMore>,
    kind: Option<Promise>,
    #[serde(default)]
    settings: BTreeMap<String, Setting>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

impl OneOrMore {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::More(more) => more,
        }
    }
}

/// A policy's settings are text to it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a setting is a text, a number, or true or false")]
enum Setting {
    Text(String),
    Whole(i64),
    Number(f64),
    Flag(bool),
}

impl Setting {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Whole(number) => number.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

impl Rules {
    /// Reads and checks the file in this directory.
    pub fn read(directory: &Path, kind: Kind) -> Result<Self, PolicyError> {
        let path = directory.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|e| {
            let reason = match e.kind() {
                std::io::ErrorKind::NotFound => {
                    "it is not there; a directory of policies has this file, which says which policy is for which log"
                        .to_owned()
                }
                _ => e.to_string(),
            };
            PolicyError::Rules { file: path.clone(), reason }
        })?;
        Self::parse(&text, directory, kind).map_err(|reason| PolicyError::Rules { file: path, reason })
    }

    fn parse(text: &str, directory: &Path, kind: Kind) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            format!("line {line}: {}", e.message())
        })?;
        let keys = file.trusted_keys.iter().map(|key| key.parse().map_err(|e| format!("trusted-keys: {e}")));
        let trust = Trust { keys: keys.collect::<Result<_, String>>()? };
        if file.strikes == 0 {
            return Err("strikes is 0: give the number of failures after which a policy is given up, at least 1".into());
        }
        if file.policy.is_empty() {
            return Err("it has no [[policy]]: give at least one, with the `file` of a component".into());
        }
        let numbered = file.policy.into_iter().enumerate();
        let rules = numbered
            .map(|(index, entry)| {
                entry.rule(directory, kind).map_err(|reason| format!("[[policy]] {}: {reason}", index + 1))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { rules, trust, on_failure: file.on_policy_failure, strikes: file.strikes })
    }
}

impl Entry {
    fn rule(self, directory: &Path, kind: Kind) -> Result<Rule, String> {
        if kind == Kind::Streamer && self.sites.is_some() {
            return Err("`sites` is for a server's policies; at a site all logs are its own".into());
        }
        let custom: Custom = self.settings.into_iter().map(|(key, value)| (key, value.into_text())).collect();
        let digests = self.digest.map_or_else(Vec::new, OneOrMore::into_vec);
        let pins = digests.into_iter().map(|text| {
            Digest::parse(&text)
                .ok_or_else(|| format!("digest {text:?} is none; one is `sha256:` and 64 hexadecimal digits"))
        });
        let pins: Vec<_> = pins.collect::<Result<_, _>>()?;
        let applicant = match (self.file, self.built_in) {
            (Some(name), false) => {
                Some(Applicant { file: component(directory, &name)?, pins, custom, promise: self.kind })
            }
            (None, true) if pins.is_empty() && custom.is_empty() => None,
            (None, true) => return Err("the built-in policy has no settings and no other digest than its own".into()),
            _ => return Err("give either `file`, a component in this directory, or `built-in = true`".into()),
        };
        let texts = [self.jobs, self.logs, self.sites].map(|patterns| patterns.map(OneOrMore::into_vec));
        let lineage = format!("{texts:?}");
        let [jobs, logs, sites] = texts;
        Ok(Rule {
            jobs: patterns("jobs", jobs)?,
            logs: patterns("logs", logs)?,
            sites: patterns("sites", sites)?,
            applicant,
            lineage,
        })
    }
}

/// A component's path. Only files of the directory itself, since that is what is watched.
fn component(directory: &Path, name: &str) -> Result<PathBuf, String> {
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Err(format!("file {name:?}: give the name of a file in this directory, without a path"));
    }
    Ok(directory.join(name))
}

fn patterns(key: &str, texts: Option<Vec<String>>) -> Result<Patterns, String> {
    let Some(texts) = texts else { return Ok(Patterns(None)) };
    if texts.is_empty() {
        return Err(format!("`{key}` is empty, so that it matches nothing: leave it out, or give a pattern"));
    }
    let compiled = texts.iter().map(|text| {
        let glob = Glob::new(text).map_err(|e| format!("`{key}`: the pattern {text:?}: {}", e.kind()))?;
        Ok(glob.compile_matcher())
    });
    Ok(Patterns(Some(compiled.collect::<Result<_, String>>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Rules, String> {
        Rules::parse(text, Path::new("/p"), Kind::Streamer)
    }

    #[test]
    fn the_first_rule_that_matches_job_and_log_is_the_logs() {
        let rules = parse(
            r#"
            strikes = 3
            on-policy-failure = "default"
            [[policy]]
            file = "a.wasm"
            jobs = "train-*"
            logs = ["*.txt", "x"]
            settings = { level = "WARNING", rate = 5, whole = true }
            [[policy]]
            built-in = true
            "#,
        )
        .unwrap();
        let first = |job, log| rules.rules.iter().position(|rule| rule.matches(job, log, None));
        assert_eq!(first("train-1", "log.txt"), Some(0));
        assert_eq!(first("train-1", "x"), Some(0));
        assert_eq!(first("train-1", "log.json"), Some(1));
        assert_eq!(first("eval", "log.txt"), Some(1));
        let applicant = rules.rules[0].applicant.as_ref().unwrap();
        assert_eq!(applicant.file, Path::new("/p/a.wasm"));
        let custom: Vec<_> = applicant.custom.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(custom, [("level", "WARNING"), ("rate", "5"), ("whole", "true")]);
        assert_eq!((rules.strikes, rules.on_failure), (3, OnFailure::Default));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, words) in [
            ("", "it has no [[policy]]"),
            ("[[policy]]\nfile = \"a.wasm\"\nfiel = 1\n", "line 3: unknown field `fiel`"),
            ("[[policy]]\nfile = \"../a.wasm\"", "[[policy]] 1: file \"../a.wasm\""),
            ("[[policy]]\n", "give either `file`"),
            ("[[policy]]\nfile = \"a\"\njobs = \"[\"", "`jobs`: the pattern \"[\""),
            ("[[policy]]\nfile = \"a\"\njobs = []", "`jobs` is empty"),
            ("[[policy]]\nfile = \"a\"\nsites = \"s\"", "`sites` is for a server's policies"),
            ("[[policy]]\nfile = \"a\"\ndigest = \"abc\"", "digest \"abc\" is none"),
            ("[[policy]]\nbuilt-in = true\nsettings = { a = 1 }", "the built-in policy has no settings"),
            ("[[policy]]\nfile = \"a\"\nsettings = { a = [1] }", "a setting is a text"),
            ("trusted-keys = [\"x\"]\n[[policy]]\nfile = \"a\"", "\"x\" is no public key"),
            ("strikes = 0\n[[policy]]\nfile = \"a\"", "strikes is 0"),
            ("on-policy-failure = \"open\"\n[[policy]]\nfile = \"a\"", "line 1"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn a_directory_without_the_file_is_told_what_it_lacks() {
        let directory = tempfile::tempdir().unwrap();
        let error = Rules::read(directory.path(), Kind::Streamer).unwrap_err().to_string();
        assert!(error.contains("policies.toml cannot be used: it is not there"), "{error}");
    }
}
