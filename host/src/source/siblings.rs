//! Which names belong to a log, and in which order its rotated files were written.
//!
//! The siblings of `log.txt` are `log.txt.*`, `log.txt-*`, `log-*.txt` and `log.*.txt`: what Python's handlers, logrotate,
//! logback and cronolog make of it. Not among them are compressed files (`.gz`, `.xz`, `.zst`, `.bz2`), which can't be read
//! on from an offset, and what editors and copying programs leave (`.swp`, `.tmp`, a trailing `~`). `log_fl.txt` is a log of
//! its own.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use crate::broken::{Rule, is_broken};

/// Endings of names that are never rotated files that can be read.
const NEVER: [&[u8]; 7] = [b".gz", b".xz", b".zst", b".bz2", b".swp", b".tmp", b"~"];

/// The names that belong to one log.
#[derive(Debug, Clone)]
pub(super) struct Family {
    live: OsString,
}

/// What a name says about when the file was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mark {
    /// The log's own name: the newest.
    Live,
    /// A number, as rotation gives it. Which end is the newest differs.
    Number(u64),
    /// A date, and what else of numbers follows it: the greatest is the newest.
    Date(Vec<u64>),
    /// Anything else.
    Other,
}

/// Which way numbers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    /// Each rotation renames all: the lowest is the newest (Python, logrotate).
    Shifted,
    /// Each rotation takes the next number: the highest is the newest.
    Upwards,
}

impl Family {
    pub fn new(live: &OsStr) -> Self {
        Self { live: live.into() }
    }

    pub fn live(&self) -> &OsStr {
        &self.live
    }

    /// What the name says, or none where it does not belong to the log.
    pub fn mark(&self, name: &OsStr) -> Option<Mark> {
        let (name, live) = (name.as_bytes(), self.live.as_bytes());
        if name == live {
            return Some(Mark::Live);
        }
        if NEVER.iter().any(|ending| name.ends_with(ending)) {
            return None;
        }
        if let Some(rest) = name.strip_prefix(live) {
            let varying = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b"-"))?;
            return (!varying.is_empty()).then(|| read(varying));
        }
        // A dot at the very front hides a file, and begins no ending.
        let dot = live.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0)?;
        let (stem, ending) = live.split_at(dot);
        let rest = name.strip_prefix(stem)?.strip_suffix(ending)?;
        let varying = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b"-"))?;
        (!varying.is_empty()).then(|| read(varying))
    }
}

/// Reads the part of a name that rotation varies.
fn read(varying: &[u8]) -> Mark {
    let groups: Vec<&[u8]> = varying.split(|byte| !byte.is_ascii_digit()).filter(|group| !group.is_empty()).collect();
    let Some(first) = groups.first() else { return Mark::Other };
    let plain = groups.len() == 1 && first.len() == varying.len();
    if !varying[0].is_ascii_digit() || groups.iter().any(|group| group.len() > 18) {
        return Mark::Other;
    }
    let year = matches!(first, [b'1', b'9', ..] | [b'2', b'0', ..]);
    let dated = year && (first.len() >= 8 && first.len() % 2 == 0 && first.len() <= 14 || first.len() == 4 && !plain);
    if dated {
        // Written together or apart, the parts compare alike: 20240131 is 2024-01-31.
        let (year, together) = first.split_at(4);
        let parts = std::iter::once(year).chain(together.chunks(2)).chain(groups[1..].iter().copied());
        return Mark::Date(parts.map(value).collect());
    }
    match plain {
        // Seconds since 1970 or finer.
        true if first.len() >= 9 => Mark::Date(vec![value(first)]),
        true => Mark::Number(value(first)),
        false => Mark::Other,
    }
}

/// The value of at most 18 digits.
fn value(digits: &[u8]) -> u64 {
    digits.iter().fold(0, |value, digit| value * 10 + u64::from(digit - b'0'))
}

/// A rotated file, for putting it in order.
#[derive(Debug, Clone)]
pub(super) struct Dated {
    pub mark: Mark,
    pub modified_ns: u64,
}

/// Puts files in the order in which they were written, oldest first; the log itself is the last. `known` is the way that
/// numbers were seen to run, if renames were seen. Returns the order as indices, and whether it is a guess.
pub(super) fn order(files: &[Dated], known: Option<Direction>) -> (Vec<usize>, bool) {
    let mut sorted: Vec<usize> = (0..files.len()).collect();
    let rotated: Vec<&Dated> = files.iter().filter(|file| file.mark != Mark::Live).collect();
    let numbers = rotated.iter().filter(|file| matches!(file.mark, Mark::Number(_))).count();
    let dates = rotated.iter().filter(|file| matches!(file.mark, Mark::Date(_))).count();
    let one_scheme = numbers == rotated.len() || dates == rotated.len();
    let direction = known.or_else(|| direction(&rotated));
    // Times alone prove nothing; they are the best guess where names don't compare.
    sorted.sort_by(|a, b| {
        let (a, b) = (&files[*a], &files[*b]);
        let by_time = a.modified_ns.cmp(&b.modified_ns);
        match (&a.mark, &b.mark) {
            (Mark::Live, Mark::Live) => Ordering::Equal,
            (Mark::Live, _) => Ordering::Greater,
            (_, Mark::Live) => Ordering::Less,
            (Mark::Number(a), Mark::Number(b)) if one_scheme => match direction {
                Some(Direction::Upwards) => a.cmp(b),
                _ => b.cmp(a),
            },
            (Mark::Date(a), Mark::Date(b)) if one_scheme => a.cmp(b),
            _ => by_time,
        }
    });
    if is_broken(Rule::OrderOfRotatedFiles) {
        sorted[..rotated.len()].reverse();
    }
    let told = rotated.len() < 2 || one_scheme && (dates > 0 || direction.is_some());
    (sorted, !told)
}

/// The way that the numbers of rotated files run, if that can be told from the files alone.
pub(super) fn way(files: &[Dated]) -> Option<Direction> {
    direction(&files.iter().collect::<Vec<_>>())
}

/// The way that numbers run, where the modification times of all files that differ in them agree.
fn direction(files: &[&Dated]) -> Option<Direction> {
    let mut numbered: Vec<(u64, u64)> = files
        .iter()
        .filter_map(|file| match file.mark {
            Mark::Number(number) => Some((number, file.modified_ns)),
            _ => None,
        })
        .collect();
    numbered.sort_unstable();
    let steps: Vec<Ordering> =
        numbered.windows(2).map(|pair| pair[0].1.cmp(&pair[1].1)).filter(|step| step.is_ne()).collect();
    match steps.first()? {
        first if steps.iter().any(|step| step != first) => None,
        Ordering::Less => Some(Direction::Upwards),
        _ => Some(Direction::Shifted),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(name: &str) -> Option<Mark> {
        Family::new(OsStr::new("log.txt")).mark(OsStr::new(name))
    }

    fn ordered(files: &[(&str, u64)]) -> (Vec<String>, bool) {
        ordered_knowing(files, None)
    }

    fn ordered_knowing(files: &[(&str, u64)], known: Option<Direction>) -> (Vec<String>, bool) {
        let dated: Vec<Dated> = files
            .iter()
            .map(|(name, modified_ns)| Dated { mark: mark(name).unwrap(), modified_ns: *modified_ns })
            .collect();
        let (order, guessed) = order(&dated, known);
        (order.into_iter().map(|index| files[index].0.into()).collect(), guessed)
    }

    #[test]
    fn siblings_are_what_rotation_makes_of_the_name() {
        for name in ["log.txt.1", "log.txt-20240131", "log-3.txt", "log.2024-01-31.txt", "log.txt.old"] {
            assert!(mark(name).is_some(), "{name}");
        }
    }

    #[test]
    fn other_logs_compressed_files_and_leavings_are_no_siblings() {
        for name in [
            "log_fl.txt",
            "log2.txt",
            "log.txt1",
            "log.txt.",
            "log.",
            "log",
            "log..txt",
            "alog.txt",
            "log.txt.1.gz",
            "log.txt.1.xz",
            "log.txt.zst",
            "log.txt-1.bz2",
            "log.txt.swp",
            "log.txt.1~",
            "log.txt.tmp",
            ".log.txt.swp",
        ] {
            assert_eq!(mark(name), None, "{name}");
        }
    }

    #[test]
    fn a_name_without_an_ending_has_siblings_behind_it_only() {
        for (live, name, belongs) in [
            ("train", "train.1", true),
            ("train", "train-a.log", true),
            ("train", "training", false),
            (".log", ".1.log", false),
        ] {
            assert_eq!(Family::new(OsStr::new(live)).mark(OsStr::new(name)).is_some(), belongs, "{live} {name}");
        }
    }

    #[test]
    fn numbers_and_dates_are_read_from_names() {
        assert_eq!(mark("log.txt.10"), Some(Mark::Number(10)));
        assert_eq!(mark("log.007.txt"), Some(Mark::Number(7)));
        assert_eq!(mark("log.txt-20240131"), Some(Mark::Date(vec![2024, 1, 31])));
        assert_eq!(mark("log.txt.2024-01-31_23-59"), Some(Mark::Date(vec![2024, 1, 31, 23, 59])));
        assert_eq!(mark("log.txt-1706745599"), Some(Mark::Date(vec![1_706_745_599])));
        assert_eq!(mark("log.txt.2024"), Some(Mark::Number(2024)));
        assert_eq!(mark("log.txt.old"), Some(Mark::Other));
        assert_eq!(mark("log.txt.99999999999999999999999"), Some(Mark::Other));
    }

    #[test]
    fn shifted_numbers_run_from_the_highest_to_the_log_and_ten_is_beyond_nine() {
        let files = [("log.txt.9", 20), ("log.txt", 40), ("log.txt.10", 10), ("log.txt.1", 30)];
        assert_eq!(
            ordered(&files),
            (["log.txt.10", "log.txt.9", "log.txt.1", "log.txt"].map(String::from).into(), false)
        );
    }

    #[test]
    fn numbers_run_upwards_where_the_times_say_so() {
        let files = [("log.txt.10", 30), ("log.txt", 40), ("log.txt.9", 20), ("log.txt.1", 10)];
        assert_eq!(
            ordered(&files),
            (["log.txt.1", "log.txt.9", "log.txt.10", "log.txt"].map(String::from).into(), false)
        );
    }

    #[test]
    fn renames_that_were_seen_weigh_more_than_times() {
        let files = [("log.txt.1", 10), ("log.txt.2", 20)];
        let (order, guessed) = ordered_knowing(&files, Some(Direction::Shifted));
        assert_eq!((order, guessed), (["log.txt.2", "log.txt.1"].map(String::from).into(), false));
    }

    #[test]
    fn dates_are_in_order_whatever_the_times() {
        let files = [("log.txt-20240201", 1), ("log.txt-20240131", 2), ("log.txt-20231231", 3)];
        let (order, guessed) = ordered(&files);
        assert_eq!(order, ["log.txt-20231231", "log.txt-20240131", "log.txt-20240201"]);
        assert!(!guessed);
    }

    #[test]
    fn what_neither_names_nor_times_tell_is_said_to_be_a_guess() {
        assert!(ordered(&[("log.txt.1", 5), ("log.txt.2", 5)]).1, "times are equal");
        assert!(ordered(&[("log.txt.1", 5), ("log.txt.2", 9), ("log.txt.3", 7)]).1, "times disagree");
        assert!(ordered(&[("log.txt.1", 5), ("log.txt-20240131", 9)]).1, "two schemes");
        assert!(ordered(&[("log.txt.old", 5), ("log.txt.older", 9)]).1, "neither number nor date");
        assert!(!ordered(&[("log.txt.old", 5), ("log.txt", 1)]).1, "one rotated file comes before the log");
    }
}
