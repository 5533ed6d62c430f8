//! What a policy seems to promise, by what it does to a log without any fault, and whether it does what it promises.

use std::collections::HashMap;

use super::lines::{self, excerpt};
use crate::policy::{Kind, Promise};

/// What a policy seems to be, by what it made of a text without any fault: what it stored, and whether the stream was
/// ended by it.
pub(super) fn seems(kind: Kind, text: &[u8], stored: &[u8], ended_it: bool) -> Promise {
    if ended_it && text.starts_with(stored) {
        Promise::Limits
    } else if stored == text {
        Promise::Forwards
    } else if !text.starts_with(stored) || stored.is_empty() {
        Promise::Filters
    } else if kind == Kind::Receiver {
        Promise::Limits
    } else {
        // Nobody leaves out the end of a log and nothing else on purpose.
        Promise::Forwards
    }
}

/// Whether what it made of a text without any fault is what it promises.
pub(super) fn check(promise: Promise, text: &[u8], stored: &[u8]) -> Result<(), String> {
    match promise {
        Promise::Forwards => lines::compare(stored, text, "the job wrote").map_err(|words| {
            let advice = "if it is meant to change or drop lines, try it with --kind filters";
            format!("{words}; {advice}")
        }),
        Promise::Filters => shape(text, stored),
        Promise::Limits => lines::prefix(stored, text, "the job wrote"),
        Promise::Other => Ok(()),
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
            return Err(format!("it stores a line twice: {}", excerpt(line)));
        }
        if before.is_some_and(|before| before > *place) {
            return Err(format!("it stores a line twice, or out of order: {}", excerpt(line)));
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
        let of = |stored: &[u8], ended_it| seems(Kind::Streamer, TEXT, stored, ended_it);
        assert_eq!(of(TEXT, false), Promise::Forwards);
        assert_eq!(of(b"one\n[two]\n\nthree\n\n", false), Promise::Filters);
        assert_eq!(of(b"", false), Promise::Filters);
        assert_eq!(of(b"one\n", true), Promise::Limits);
        assert_eq!(of(b"one\n", false), Promise::Forwards, "it has lost the end");
        assert_eq!(seems(Kind::Receiver, TEXT, b"one\n", false), Promise::Limits);
    }

    #[test]
    fn what_filters_keeps_lines_in_order_and_none_twice() {
        let check = |stored: &[u8]| super::check(Promise::Filters, TEXT, stored);
        for good in [TEXT, b"", b"two\n", b"ONE\n\n\n\nthree\n"] {
            assert_eq!(check(good), Ok(()));
        }
        assert!(check(b"one\ntwo\ntwo\n").unwrap_err().contains("stores a line twice: \"two\\n\""));
        assert!(check(b"two\none\n").unwrap_err().contains("twice, or out of order: \"one\\n\""));
    }

    #[test]
    fn what_forwards_loses_and_doubles_nothing() {
        let check = |stored: &[u8]| super::check(Promise::Forwards, TEXT, stored).unwrap_err();
        assert!(check(b"one\ntwo\n\n").contains("7 bytes are missing at the end"), "{}", check(b"one\ntwo\n\n"));
        assert!(check(b"one\none\ntwo\n").contains("is stored twice"), "{}", check(b"one\none\ntwo\n"));
        assert!(check(b"one\n\nthree\n\n").contains("--kind filters"));
        assert!("all".parse::<Promise>().unwrap_err().contains("forwards, filters, limits or other"));
    }
}
