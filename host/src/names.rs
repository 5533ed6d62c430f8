//! Names of jobs, sites and logs: single path components, checked once, here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest name in bytes, which is what Linux file systems take for one path component.
pub const MAX_NAME: usize = 255;

/// A name that was refused: quoted, with the rule that it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {kind} name {name:?} is refused: {rule}")]
pub struct NameError {
    kind: &'static str,
    name: String,
    rule: &'static str,
}

/// The rules that every name keeps, whatever it names.
fn check(kind: &'static str, name: &str) -> Result<(), NameError> {
    let rule = if name.is_empty() {
        "it is empty"
    } else if name.len() > MAX_NAME {
        "it is longer than 255 bytes"
    } else if name == "." || name == ".." {
        "it names a directory"
    } else if name.contains(['/', '\\']) {
        "it has a path separator in it"
    } else if name.chars().any(char::is_control) {
        "it has a control character in it"
    } else {
        return Ok(());
    };
    // A name that is far too long is not repeated whole to the person who reads this.
    let name = name.chars().take(300).collect();
    Err(NameError { kind, name, rule })
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:literal, |$text:ident| $also:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Takes the name, or says which rule it breaks.
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                check($kind, &name)?;
                let $text = name.as_str();
                if let Some(rule) = $also {
                    return Err(NameError { kind: $kind, name, rule });
                }
                Ok(Self(name))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = NameError;
            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl TryFrom<String> for $type {
            type Error = NameError;
            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> String {
                name.0
            }
        }

        impl AsRef<std::path::Path> for $type {
            fn as_ref(&self) -> &std::path::Path {
                std::path::Path::new(&self.0)
            }
        }
    };
}

name!(
    /// A job: one training run. Does not begin with a dot, since the store keeps its own files in a directory that does.
    JobName,
    "job",
    |name| name.starts_with('.').then_some("a job's name does not begin with a dot")
);
name!(
    /// A site, as the connection's identity says.
    SiteName,
    "site",
    |_name| None
);
name!(
    /// A log: one file of one job at one site.
    LogName,
    "log",
    |_name| None
);

/// Which log: of which job, from which site.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogKey {
    /// The job that writes it.
    pub job: JobName,
    /// The site where it is written.
    pub site: SiteName,
    /// Its name.
    pub log: LogName,
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.job, self.site, self.log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_taken_as_they_are() {
        for name in ["site-1", "log.txt", "Zürich", "a b", "...", "-n", &"x".repeat(255)] {
            assert_eq!(SiteName::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn a_refused_name_is_quoted_with_the_rule_that_it_breaks() {
        let long = "x".repeat(256);
        for (name, rule) in [
            ("", "it is empty"),
            (".", "it names a directory"),
            ("..", "it names a directory"),
            ("a/b", "it has a path separator in it"),
            ("..\\b", "it has a path separator in it"),
            ("a\0b", "it has a control character in it"),
            ("a\u{85}b", "it has a control character in it"),
            (&long, "it is longer than 255 bytes"),
        ] {
            let error = LogName::new(name).unwrap_err().to_string();
            assert_eq!(error, format!("the log name {name:?} is refused: {rule}"));
        }
    }

    #[test]
    fn a_jobs_name_does_not_begin_with_a_dot() {
        let error = JobName::new(".fedtail").unwrap_err().to_string();
        assert_eq!(error, "the job name \".fedtail\" is refused: a job's name does not begin with a dot");
        assert!(LogName::new(".hidden").is_ok());
    }
}
