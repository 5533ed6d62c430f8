//! What is told of one log.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fedtail::server::ending_name;
use fedtail::wire::{GapReason, LogEntry};
use serde_json::{Value, json};

/// A log, as `ls` tells of it.
pub struct Row<'a> {
    pub entry: &'a LogEntry,
    /// Whether a server has the store.
    served: bool,
}

/// The bytes that one policy handled.
pub struct Handled {
    pub from: u64,
    pub to: u64,
    /// SHA-256 in hexadecimal digits; empty for several policies that are not told apart.
    pub digest: String,
}

impl<'a> Row<'a> {
    pub fn new(entry: &'a LogEntry, served: bool) -> Self {
        Self { entry, served }
    }

    /// One word.
    fn state_name(&self) -> &'static str {
        match &self.entry.end {
            _ if !self.entry.unreadable.is_empty() => "unreadable",
            Some(end) => ending_name(end.kind()),
            None => "open",
        }
    }

    /// The state, and what an operator should know beside it.
    pub fn state(&self) -> String {
        let mut state = self.state_name().to_owned();
        if state == "open" && !self.served {
            state.push_str(", no server");
        }
        match self.entry.gaps.len() {
            0 => {}
            1 => state.push_str(" (1 gap)"),
            gaps => state.push_str(&format!(" ({gaps} gaps)")),
        }
        state
    }

    /// When the site was last heard; none if it is not known.
    pub fn last_heard(&self) -> Option<SystemTime> {
        let since = Duration::from_nanos(self.entry.last_heard_ns);
        (!since.is_zero()).then_some(UNIX_EPOCH + since)
    }

    /// Why the stream ended; empty where there is nothing to say.
    pub fn reason(&self) -> &str {
        self.entry.end.as_ref().map_or("", |end| &end.reason)
    }

    /// Which policy handled which bytes.
    pub fn handled(&self) -> Vec<Handled> {
        let ranges = &self.entry.ranges;
        let ends = ranges.iter().skip(1).map(|next| next.from).chain([self.entry.stored]);
        let handled = ranges.iter().zip(ends).map(|(range, to)| Handled {
            from: range.from,
            to,
            digest: range.policy_digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        });
        handled.filter(|handled| handled.from < handled.to).collect()
    }

    /// All of it.
    pub fn json(&self) -> Value {
        let entry = self.entry;
        let gaps = entry.gaps.iter().map(|gap| {
            let reason = match gap.reason() {
                GapReason::Truncated => "truncated",
                GapReason::Deleted => "deleted",
                GapReason::Ambiguous => "ambiguous",
                GapReason::Unproven => "unproven",
                GapReason::Late => "late",
                GapReason::Unspecified => "other",
            };
            json!({ "at": gap.at, "lost": gap.lost, "reason": reason, "words": gap.words })
        });
        let policies = self.handled().into_iter().map(|handled| {
            let digest = (!handled.digest.is_empty()).then_some(handled.digest);
            json!({ "from": handled.from, "to": handled.to, "digest": digest })
        });
        json!({
            "job": entry.job,
            "site": entry.site,
            "log": entry.log,
            "bytes": entry.stored,
            "last_heard": self.last_heard().map(|heard| humantime::format_rfc3339_millis(heard).to_string()),
            "state": self.state_name(),
            "served": self.served,
            "reason": if entry.unreadable.is_empty() { self.reason() } else { &entry.unreadable },
            "gaps": gaps.collect::<Vec<_>>(),
            "policies": policies.collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
pub mod tests {
    use fedtail::wire::{EndKind, Gap, PolicyRange, RecordedEnd};

    use super::*;

    /// An incomplete log of ten bytes, heard a second after the beginning of 1970.
    pub fn incomplete() -> LogEntry {
        LogEntry {
            job: "j".into(),
            site: "a".into(),
            log: "log".into(),
            stored: 10,
            last_heard_ns: 1_000_000_000,
            end: Some(RecordedEnd { kind: EndKind::Incomplete.into(), reason: "cut".into() }),
            gaps: vec![Gap { lost: Some(5), reason: GapReason::Truncated.into(), words: "log".into(), at: 4 }],
            ranges: vec![
                PolicyRange { from: 0, policy_digest: vec![0xab; 32].into() },
                PolicyRange { from: 4, policy_digest: vec![0xcd; 32].into() },
            ],
            unreadable: String::new(),
        }
    }

    #[test]
    fn the_state_tells_the_end_the_gaps_and_whether_anybody_listens() {
        let state = |entry: &LogEntry, served| Row::new(entry, served).state();
        let mut entry = incomplete();
        assert_eq!(state(&entry, false), "incomplete (1 gap)");
        entry.gaps.push(entry.gaps[0].clone());
        assert_eq!(state(&entry, true), "incomplete (2 gaps)");
        let open = LogEntry { end: None, gaps: vec![], ..incomplete() };
        assert_eq!(state(&open, true), "open");
        assert_eq!(state(&open, false), "open, no server");
        let unreadable = LogEntry { unreadable: "damaged".into(), ..LogEntry::default() };
        assert_eq!(state(&unreadable, true), "unreadable");
    }

    #[test]
    fn json_has_all_that_is_known() {
        let entry = incomplete();
        let expected = json!({
            "job": "j", "site": "a", "log": "log", "bytes": 10, "last_heard": "1970-01-01T00:00:01.000Z",
            "state": "incomplete", "served": true, "reason": "cut",
            "gaps": [{ "at": 4, "lost": 5, "reason": "truncated", "words": "log" }],
            "policies": [
                { "from": 0, "to": 4, "digest": "ab".repeat(32) },
                { "from": 4, "to": 10, "digest": "cd".repeat(32) },
            ],
        });
        assert_eq!(Row::new(&entry, true).json(), expected);
    }
}
