//! What a policy is held to in the simulation, and how that is told from what it does to a log without any fault.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use super::lines::{self, excerpt};
use crate::policy::Kind;

/// What a policy does to a log; each kind is held to what a policy of it can promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// What a policy seems to be, by what it made of a text without any fault: what it stored, and whether the stream was
    /// ended by it.
    pub(super) fn of(kind: Kind, text: &[u8], stored: &[u8], ended_it: bool) -> Self {
        if ended_it && text.starts_with(stored) {
            Self::Limits
        } else if stored == text {
            Self::Forwards
        } else if !text.starts_with(stored) || stored.is_empty() {
            Self::Filters
        } else if kind == Kind::Receiver {
            Self::Limits
        } else {
            // Nobody leaves out the end of a log and nothing else on purpose.
            Self::Forwards
        }
    }

    /// Whether what it made of a text without any fault is what it promises.
    pub(super) fn check(self, text: &[u8], stored: &[u8]) -> Result<(), String> {
        match self {
            Self::Forwards => lines::compare(stored, text, "the job wrote").map_err(|words| {
                let advice = "if it is meant to change or drop lines, try it with --kind filters";
                format!("{words}; {advice}")
            }),
            Self::Filters => shape(text, stored),
            Self::Limits => lines::prefix(stored, text, "the job wrote"),
            Self::Other => Ok(()),
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

/// Lines that stand in the text are in its order, and none more often than there.
fn shape(text: &[u8], stored: &[u8]) -> Result<(), String> {
    let mut places: HashMap<&[u8], Vec<usize>> = HashMap::new();
    for (place, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
        places.entry(line).or_default().push(place);
    }
    let mut before = None;
    for line in stored.split_inclusive(|byte| *byte == b'\n') {
        // A line that stands there several times may be any of them.
        let Some([place]) = places.get(line).map(Vec::as_slice) else { continue };
        if before == Some(*place) {
            return Err(format!("without any fault it stores a line twice: {}", excerpt(line)));
        }
        if before.is_some_and(|before| before > *place) {
            return Err(format!("without any fault it stores a line twice, or out of order: {}", excerpt(line)));
        }
        before = Some(*place);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"one\ntwo\n\nthree\n\n";

    #[test]
    fn a_policy_is_known_by_what_it_does_to_a_text() {
        let of = |stored: &[u8], ended_it| Promise::of(Kind::Streamer, TEXT, stored, ended_it);
        assert_eq!(of(TEXT, false), Promise::Forwards);
        assert_eq!(of(b"one\n[two]\n\nthree\n\n", false), Promise::Filters);
        assert_eq!(of(b"", false), Promise::Filters);
        assert_eq!(of(b"one\n", true), Promise::Limits);
        assert_eq!(of(b"one\n", false), Promise::Forwards, "it has lost the end");
        assert_eq!(Promise::of(Kind::Receiver, TEXT, b"one\n", false), Promise::Limits);
    }

    #[test]
    fn what_filters_keeps_lines_in_order_and_none_twice() {
        let check = |stored: &[u8]| Promise::Filters.check(TEXT, stored);
        for good in [TEXT, b"", b"two\n", b"ONE\n\n\n\nthree\n"] {
            assert_eq!(check(good), Ok(()));
        }
        assert!(check(b"one\ntwo\ntwo\n").unwrap_err().contains("stores a line twice: \"two\\n\""));
        assert!(check(b"two\none\n").unwrap_err().contains("twice, or out of order: \"one\\n\""));
    }

    #[test]
    fn what_forwards_loses_and_doubles_nothing() {
        let check = |stored: &[u8]| Promise::Forwards.check(TEXT, stored).unwrap_err();
        assert!(check(b"one\ntwo\n\n").contains("7 bytes are missing at the end"), "{}", check(b"one\ntwo\n\n"));
        assert!(check(b"one\none\ntwo\n").contains("is stored twice"), "{}", check(b"one\none\ntwo\n"));
        assert!(check(b"one\n\nthree\n\n").contains("--kind filters"));
        assert!("all".parse::<Promise>().unwrap_err().contains("forwards, filters, limits or other"));
    }
}
