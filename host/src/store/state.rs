//! What the store knows of a log beside its bytes, and how an entry of the journal changes it. What is recorded now and
//! what is read back after a crash go through the same function, so that they can't come to differ.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use crate::names::LogKey;
use crate::wire::{EndKind, Gap, LogEntry, PolicyRange, Progress, Record, RecordedEnd};

/// Gaps that are kept one by one; a site that loses more than this is described well enough by the first ones and the
/// totals, and the state stays small.
const MAX_GAPS: usize = 128;
/// Different reasons for dropped data that are kept. A policy that puts a number into its words makes a new one each time.
const MAX_DROPPED: usize = 64;
/// Changes of the policy that are kept. A site upgrades now and then; one that takes turns between two is not told apart
/// in the middle of its log.
const MAX_RANGES: usize = 256;
/// Bytes of one text that comes from a site or a policy; enough for a sentence with a path in it.
const MAX_WORDS: usize = 1024;
/// Bytes of an instance or a digest; 32 are usual.
const MAX_ID: usize = 64;
/// What stands for the reasons that are not kept.
const OTHER_REASONS: &str = "other reasons, too many to keep";
/// What a gap says that stands for several.
const MERGED_GAPS: &str = "several gaps of this kind, too many to keep one by one";

/// What is known of a log beside its bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogState {
    /// The newest opening; 0 if there was none. What comes under an older one is refused.
    pub epoch: u64,
    /// Bytes of the log that are committed.
    pub stored: u64,
    /// Payload bytes that were taken from the site: stored, changed and stored, or dropped. The next batch's base.
    pub received: u64,
    /// Where in the source that is; none before the first commit.
    pub progress: Option<Progress>,
    /// What was lost at the source. Past a limit, gaps of one kind are merged; the totals stay true.
    pub gaps: Vec<Gap>,
    /// How the stream ended, if it did and nothing has been committed since.
    pub end: Option<RecordedEnd>,
    /// The log was opened again after `end`, and goes on if anything comes.
    pub reopened: bool,
    /// The log as it ended was handed over.
    pub handed: bool,
    /// Which run of the site opened the stream last.
    pub instance: Bytes,
    /// Which policy handled which bytes, by position in `stored`. Past a limit, ranges are merged into one with an empty
    /// digest: several policies.
    pub ranges: Vec<PolicyRange>,
    /// Why data was dropped, each reason once. Past a limit, the last one stands for those that are not kept.
    pub dropped: Vec<String>,
    /// Wall-clock nanoseconds since the Unix epoch of the last change.
    pub written_at: u64,
}

impl LogState {
    /// Whether the stream has ended and was not opened again, so that nothing is taken.
    pub fn is_closed(&self) -> bool {
        self.end.is_some() && !self.reopened
    }

    /// What an operator is told of the log.
    pub(super) fn entry(&self, key: &LogKey, last_heard: SystemTime) -> LogEntry {
        LogEntry {
            job: key.job.to_string(),
            site: key.site.to_string(),
            log: key.log.to_string(),
            stored: self.stored,
            last_heard_ns: nanoseconds(last_heard),
            end: self.end.clone(),
            gaps: self.gaps.clone(),
            ranges: self.ranges.clone(),
            unreadable: String::new(),
        }
    }

    /// An entry that changes nothing but the time, to be filled with what does.
    pub(super) fn unchanged(&self, now: SystemTime) -> Record {
        Record {
            epoch: self.epoch,
            stored: self.stored,
            received: self.received,
            written_at: nanoseconds(now),
            ..Record::default()
        }
    }

    /// The entries that make this state out of nothing.
    pub(super) fn snapshot(&self) -> Vec<Record> {
        let mut snapshot = Record {
            epoch: self.epoch,
            stored: self.stored,
            received: self.received,
            progress: self.progress.clone(),
            gaps: self.gaps.clone(),
            end: self.end.clone(),
            handed: self.handed,
            instance: self.instance.clone(),
            dropped: self.dropped.clone(),
            written_at: self.written_at,
            snapshot: true,
            ranges: self.ranges.clone(),
            ..Record::default()
        };
        if !self.reopened {
            return vec![snapshot];
        }
        // That the log was opened after its end is said by an opening that comes after the end.
        snapshot.epoch -= 1;
        let opening = Record { epoch: self.epoch, snapshot: false, ranges: vec![], ..snapshot.clone() };
        vec![snapshot, Record { progress: None, gaps: vec![], end: None, handed: false, dropped: vec![], ..opening }]
    }

    /// Whether this entry can stand behind what led to this state: what is counted never goes back. What a store wrote is
    /// never otherwise, whatever became of its end.
    pub(super) fn can_be_followed_by(&self, entry: &Record) -> bool {
        let goes_back = entry.epoch < self.epoch || entry.stored < self.stored || entry.received < self.received;
        entry.snapshot || !goes_back
    }

    /// Takes an entry over. Beside what the messages say:
    /// - an entry with a higher epoch is an opening;
    /// - an `end` without a kind says that there is none any more;
    /// - an entry with an `end`, of either sort, says anew whether the log was handed over.
    pub(super) fn apply(&mut self, entry: Record) {
        if entry.snapshot {
            *self = Self {
                epoch: entry.epoch,
                stored: entry.stored,
                received: entry.received,
                progress: entry.progress,
                gaps: entry.gaps,
                end: entry.end,
                reopened: false,
                handed: entry.handed,
                instance: entry.instance,
                ranges: entry.ranges,
                dropped: entry.dropped,
                written_at: entry.written_at,
            };
            return;
        }
        if let Some(end) = entry.end {
            self.end = (end.kind != EndKind::Unspecified as i32).then_some(end);
            self.handed = entry.handed;
            self.reopened = false;
        } else {
            self.handed |= entry.handed;
        }
        if entry.epoch > self.epoch {
            self.reopened = self.end.is_some();
            self.instance = entry.instance;
        }
        if !entry.policy_digest.is_empty() {
            self.begin_range(entry.policy_digest);
        }
        entry.gaps.into_iter().for_each(|gap| self.add_gap(gap));
        entry.dropped.into_iter().for_each(|reason| self.add_dropped(reason));
        if entry.progress.is_some() {
            self.progress = entry.progress;
        }
        self.epoch = entry.epoch;
        self.stored = entry.stored;
        self.received = entry.received;
        self.written_at = entry.written_at;
    }

    /// The bytes from here on are handled by this policy.
    fn begin_range(&mut self, policy_digest: Bytes) {
        self.ranges.pop_if(|last| last.from == self.stored);
        if self.ranges.last().is_none_or(|last| last.policy_digest != policy_digest) {
            self.ranges.push(PolicyRange { from: self.stored, policy_digest });
        }
        if self.ranges.len() > MAX_RANGES {
            // The first range and the newest ones stay; the second grows over the third.
            self.ranges[1].policy_digest = Bytes::new();
            self.ranges.remove(2);
        }
    }

    fn add_gap(&mut self, gap: Gap) {
        if self.gaps.len() >= MAX_GAPS {
            // Known and unknown losses are kept apart, or a known total would become unknown.
            let alike = |kept: &&mut Gap| kept.reason == gap.reason && kept.lost.is_some() == gap.lost.is_some();
            if let Some(kept) = self.gaps.iter_mut().rev().find(alike) {
                kept.lost = kept.lost.zip(gap.lost).map(|(kept, lost)| kept.saturating_add(lost));
                kept.words = MERGED_GAPS.to_owned();
                return;
            }
        }
        self.gaps.push(gap);
    }

    fn add_dropped(&mut self, reason: String) {
        if self.dropped.contains(&reason) {
            return;
        }
        match self.dropped.len() {
            MAX_DROPPED.. => self.dropped[MAX_DROPPED - 1] = OTHER_REASONS.to_owned(),
            _ => self.dropped.push(reason),
        }
    }
}

/// Cuts a text from a site or a policy to what is kept of it.
pub(super) fn cut(mut words: String) -> String {
    if words.len() > MAX_WORDS {
        words.truncate(words.floor_char_boundary(MAX_WORDS - '…'.len_utf8()));
        words.push('…');
    }
    words
}

/// Copies an instance or a digest; one that is longer than any real one is cut.
pub(super) fn id(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&bytes[..bytes.len().min(MAX_ID)])
}

/// Nanoseconds since the Unix epoch; 0 for a time before it.
pub(super) fn nanoseconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos().try_into().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_snapshot(state: &LogState) -> LogState {
        let mut copy = LogState::default();
        state.snapshot().into_iter().for_each(|entry| copy.apply(entry));
        copy
    }

    fn full() -> LogState {
        LogState {
            epoch: 3,
            stored: 10,
            received: 20,
            progress: Some(Progress::default()),
            gaps: vec![Gap { lost: Some(5), reason: 1, words: "cut".into(), at: 4 }],
            end: Some(RecordedEnd { kind: EndKind::Complete as i32, reason: "done".into() }),
            reopened: false,
            handed: true,
            instance: Bytes::from_static(b"instance"),
            ranges: vec![PolicyRange { from: 0, policy_digest: Bytes::from_static(b"digest") }],
            dropped: vec!["too long".into()],
            written_at: 7,
        }
    }

    #[test]
    fn a_snapshot_makes_the_same_state() {
        assert_eq!(from_snapshot(&full()), full());
        let reopened = LogState { reopened: true, ..full() };
        assert_eq!(from_snapshot(&reopened), reopened);
        assert_eq!(from_snapshot(&LogState::default()), LogState::default());
    }

    #[test]
    fn gaps_past_the_limit_are_merged_and_the_totals_stay_true() {
        let mut state = LogState::default();
        for number in 0..10 * MAX_GAPS as u64 {
            let lost = (number % 3 != 0).then_some(number);
            let gap = Gap { lost, reason: (number % 5) as i32, words: format!("gap {number}"), at: number };
            state.apply(Record { epoch: 1, gaps: vec![gap], ..Record::default() });
        }
        assert_eq!(state.gaps.len(), MAX_GAPS);
        for reason in 0..5 {
            let lost = |gap: &Gap| if gap.reason == reason { gap.lost.unwrap_or(0) } else { 0 };
            let told: u64 = state.gaps.iter().map(lost).sum();
            let real: u64 = (0..10 * MAX_GAPS as u64).filter(|n| n % 5 == reason as u64 && n % 3 != 0).sum();
            assert_eq!(told, real, "reason {reason}");
        }
        assert_eq!(state.gaps[0].words, "gap 0");
    }

    #[test]
    fn a_gap_of_a_new_kind_is_kept_also_past_the_limit() {
        let mut state = LogState::default();
        (0..MAX_GAPS).for_each(|_| state.add_gap(Gap { lost: Some(1), reason: 1, ..Gap::default() }));
        state.add_gap(Gap { lost: None, reason: 1, ..Gap::default() });
        assert_eq!(state.gaps.last().map(|gap| gap.lost), Some(None));
        assert_eq!(state.gaps.iter().filter_map(|gap| gap.lost).sum::<u64>(), MAX_GAPS as u64);
    }

    #[test]
    fn reasons_are_kept_once_and_bounded() {
        let mut state = LogState::default();
        for number in 0..1000 {
            state.add_dropped("the same".into());
            state.add_dropped(format!("line {number}"));
        }
        assert_eq!(state.dropped.len(), MAX_DROPPED);
        assert_eq!(state.dropped[..2], ["the same", "line 0"]);
        assert_eq!(state.dropped[MAX_DROPPED - 1], OTHER_REASONS);
    }

    #[test]
    fn policy_ranges_follow_the_bytes_and_are_bounded() {
        let mut state = LogState::default();
        let mut entry = |stored, digest: String| {
            state.apply(Record { epoch: 1, stored, policy_digest: digest.into(), ..Record::default() });
            state.ranges.clone()
        };
        entry(0, "a".into());
        let ranges = entry(5, "b".into());
        assert_eq!(ranges.len(), 1, "a range without bytes is none: {ranges:?}");
        let ranges = entry(9, "b".into());
        assert_eq!(ranges, [PolicyRange { from: 0, policy_digest: "b".into() }]);
        for number in 0..1000 {
            entry(10 + number, format!("{number}"));
        }
        let ranges = entry(2000, "last".into());
        assert_eq!(ranges.len(), MAX_RANGES);
        assert_eq!(ranges[0], PolicyRange { from: 0, policy_digest: "b".into() });
        assert_eq!(ranges[1], PolicyRange { from: 9, policy_digest: Bytes::new() });
        assert_eq!(ranges[MAX_RANGES - 1], PolicyRange { from: 1009, policy_digest: "last".into() });
        assert!(ranges.is_sorted_by_key(|range| range.from));
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let long = cut("ü".repeat(MAX_WORDS));
        assert!(long.len() <= MAX_WORDS && long.ends_with("ü…"), "{} bytes", long.len());
        assert_eq!(cut("short".into()), "short");
    }
}
