//! What a policy does to a log, as far as it can be held to it.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use super::component::Kind;

/// What a policy does to a log; each kind is held to what a policy of it can promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Promise {
    /// It lets all of a log through, sooner or later.
    Forwards,
    /// It changes or drops lines, each the same way whatever happens around it.
    Filters,
    /// It lets a beginning of a log through, and ends the stream by itself.
    Limits,
    /// What it makes of a log depends on more than the log: the time, what an earlier instance had seen, how the log came
    /// in pieces.
    Other,
}

impl Promise {
    /// All of them, by the names that [`FromStr`] takes.
    pub const ALL: [(&str, Promise); 4] =
        [("forwards", Self::Forwards), ("filters", Self::Filters), ("limits", Self::Limits), ("other", Self::Other)];

    /// What it does, in words.
    pub fn does(self) -> &'static str {
        match self {
            Self::Forwards => "lets all of a log through",
            Self::Filters => "changes or drops lines",
            Self::Limits => "lets a beginning of a log through",
            Self::Other => "has a state of its own, or goes by more than the log",
        }
    }

    /// What the simulation holds it to, in words.
    pub fn held_to(self, kind: Kind) -> &'static str {
        match self {
            Self::Forwards => {
                "what the server has is at every moment a beginning of what the job wrote, and at the end all of it"
            }
            // What comes to a server comes in pieces, which may end within lines.
            Self::Filters if kind == Kind::Receiver => {
                "what the server has is at every moment a beginning of what it stores without any fault, and at the end \
                 all of it"
            }
            Self::Filters => {
                "what the server has is at every moment a beginning, in whole lines, of what leaves without any fault, \
                 and at the end all of it"
            }
            Self::Limits => "what the server has is at every moment a beginning of what the job wrote",
            Self::Other => "it does not fail, comes to the end of the log, and loses nothing that was acknowledged",
        }
    }
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Self::ALL.into_iter().filter(|(_, promise)| promise == self).try_for_each(|(name, _)| f.write_str(name))
    }
}

impl FromStr for Promise {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, promise)| promise).ok_or_else(|| "it is forwards, filters, limits or other".into())
    }
}
