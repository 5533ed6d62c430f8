//! One log of the store: its openings, commits and ends.

use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use bytes::Bytes;

use crate::names::LogKey;
use crate::wire::{EndKind, Gap, Progress, Record, RecordedEnd};

use super::Shared;
use super::data::DataFile;
use super::error::{CommitError, StoreError};
use super::journal::{Journal, MAX_ENTRY};
use super::layout;
use super::recovery;
use super::state::{self, LogState};
use crate::broken::{Rule, is_broken};

/// What is committed in one step.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// [`LogState::received`] as the sender expects it, before this batch.
    pub base: u64,
    /// Payload bytes that were taken from the site for this batch.
    pub received: u64,
    /// What to store, which may be other than what was received, and nothing.
    pub data: Vec<Bytes>,
    /// Where in the source that reaches; none if it is as before.
    pub progress: Option<Progress>,
    /// What was lost at the source. Here `at` counts from the beginning of this batch's data: 0 for what was lost before it.
    pub gaps: Vec<Gap>,
    /// Why data of this batch is not stored.
    pub dropped: Vec<String>,
    /// SHA-256 of the streamer policy from the beginning of this batch, where it is another one than before.
    pub policy_digest: Option<Vec<u8>>,
}

/// Where the log stands after a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// See [`LogState::stored`].
    pub stored: u64,
    /// See [`LogState::received`].
    pub received: u64,
}

/// One log. Each method locks it for itself and holds nothing between calls. An error leaves the log as it was.
pub struct StoredLog {
    key: LogKey,
    shared: Arc<Shared>,
    inner: Mutex<Inner>,
}

struct Inner {
    state: LogState,
    /// None before the first opening.
    journal: Option<Journal>,
    data: DataFile,
    /// The names of both files are known to outlive a loss of power. Not known of files that an earlier process made.
    names_last: bool,
    /// When the site was last heard, which is also the journal's modification time.
    heard_at: SystemTime,
    /// Whether this process has opened a stream of it.
    opened_here: bool,
}

impl StoredLog {
    /// Looks at the log's files.
    pub(super) fn load(shared: Arc<Shared>, key: LogKey) -> Result<Self, StoreError> {
        let found = recovery::load(&shared, &key)?;
        let recovery::Found { state, journal, data, heard_at } = found;
        let inner = Inner { state, journal, data, names_last: false, heard_at, opened_here: false };
        Ok(Self { key, shared, inner: Mutex::new(inner) })
    }

    /// Which log this is.
    pub fn key(&self) -> &LogKey {
        &self.key
    }

    /// What is known of the log now.
    pub fn state(&self) -> LogState {
        super::hold(&self.inner).state.clone()
    }

    /// Whether a stream of it was opened by this process, which then sees to its end too.
    pub fn was_opened_here(&self) -> bool {
        super::hold(&self.inner).opened_here
    }

    /// Opens the stream anew, under the next epoch; older ones are refused from now on. `instance` names the site's run,
    /// `policy_digest` (empty if not known) is the SHA-256 of its policy.
    ///
    /// An end that the server came to by itself (idle, superseded, failed) is over with that. The site's own word (complete,
    /// incomplete, aborted) stands, and the log stays handed over, until something more is committed: so the site that
    /// asks again because it never got the answer to its end adds nothing.
    pub fn open_stream(&self, instance: &[u8], policy_digest: &[u8]) -> Result<LogState, StoreError> {
        let mut inner = super::hold(&self.inner);
        let now = (self.shared.clock)();
        let mut entry = inner.state.unchanged(now);
        // No site opens a log that often: somebody wrote this number.
        entry.epoch = entry.epoch.checked_add(1).ok_or_else(|| StoreError::NotAJournal {
            journal: self.shared.full(&layout::journal(&self.key)),
            problem: "its last opening has the greatest number that there is",
            advice: "put it back from a backup, or move it and the log away",
        })?;
        entry.instance = state::id(instance);
        entry.policy_digest = state::id(policy_digest);
        if inner.state.end.as_ref().is_some_and(|end| !is_sites_word(end)) {
            entry.end = Some(RecordedEnd::default());
        }
        if inner.journal.is_some() {
            self.record(&mut inner, entry, true)?;
        } else {
            let mut state = inner.state.clone();
            state.apply(entry);
            inner.journal = Some(self.shared.create_journal(&self.key, &state, self.shared.flushes())?);
            inner.state = state;
            inner.heard_at = now;
        }
        if inner.state.end.is_none() {
            // Now and not with the first byte, so that `tail -f` has something to wait at.
            self.create_data(&mut inner)?;
        }
        if self.shared.flushes() {
            self.make_names_last(&mut inner)?;
        }
        self.compact_if_long(&mut inner);
        inner.opened_here = true;
        Ok(inner.state.clone())
    }

    /// Commits a batch, whole or not at all. In order: the epoch and the base are checked, the data is written behind what
    /// is committed, and the journal's entry makes both count.
    pub fn commit(&self, epoch: u64, batch: Batch) -> Result<Committed, CommitError> {
        let mut inner = super::hold(&self.inner);
        let before = &inner.state;
        self.check_open(before, epoch)?;
        if batch.base != before.received && !is_broken(Rule::FenceAndBase) {
            return Err(CommitError::Base { expected: before.received, got: batch.base });
        }
        let now = (self.shared.clock)();
        let mut hasher = crc32fast::Hasher::new();
        let mut length = 0;
        for piece in &batch.data {
            hasher.update(piece);
            length += piece.len() as u64;
        }
        let stored = before.stored;
        let place = |gap: Gap| Gap { at: stored + gap.at.min(length), words: state::cut(gap.words), ..gap };
        let entry = Record {
            stored: stored + length,
            received: before.received.saturating_add(batch.received),
            data_crc: hasher.finalize(),
            progress: batch.progress,
            gaps: batch.gaps.into_iter().map(place).collect(),
            dropped: batch.dropped.into_iter().map(state::cut).collect(),
            policy_digest: state::id(batch.policy_digest.as_deref().unwrap_or_default()),
            end: before.end.is_some().then(RecordedEnd::default),
            ..before.unchanged(now)
        };
        // The journal's room first: it is the smaller part, and what it refuses leaves no bytes behind.
        self.prepare(&mut inner, &entry, false)?;
        if is_broken(Rule::BytesBeforePosition) {
            self.create_data(&mut inner)?;
            self.write_entry(&mut inner, entry)?;
            inner.data.write(&self.shared, stored, &batch.data, length)?;
            return Ok(Committed { stored: inner.state.stored, received: inner.state.received });
        }
        if length > 0 {
            self.create_data(&mut inner)?;
            inner.data.write(&self.shared, stored, &batch.data, length)?;
        }
        self.write_entry(&mut inner, entry)?;
        inner.heard_at = now;
        self.compact_if_long(&mut inner);
        Ok(Committed { stored: inner.state.stored, received: inner.state.received })
    }

    /// Records the end, and cuts off what lies behind the committed length. Room for it is reserved.
    ///
    /// The same end again is well and adds nothing, neither under this epoch nor after the log was opened again with nothing
    /// new; nor does then an end that the server comes to by itself, since the site has said its word. Another end
    /// under this epoch is [`CommitError::Ended`], with the one that stands.
    pub fn end(&self, epoch: u64, end: RecordedEnd, gaps: Vec<Gap>) -> Result<LogState, CommitError> {
        let mut inner = super::hold(&self.inner);
        self.check_epoch(&inner.state, epoch)?;
        // An end of no kind would say that there is none.
        let kind = if end.kind == EndKind::Unspecified as i32 { EndKind::Failed as i32 } else { end.kind };
        let end = RecordedEnd { kind, reason: state::cut(end.reason) };
        let stored = inner.state.stored;
        let mut gaps: Vec<_> =
            gaps.into_iter().map(|gap| Gap { at: stored, words: state::cut(gap.words), ..gap }).collect();
        if let Some(stands) = inner.state.end.clone() {
            gaps.retain(|gap| !inner.state.gaps.contains(gap));
            if inner.state.is_closed() && end != stands {
                return Err(CommitError::Ended { end: stands });
            }
            if inner.state.is_closed() || (gaps.is_empty() && (end == stands || !is_sites_word(&end))) {
                inner.state.reopened = false;
                return Ok(inner.state.clone());
            }
        }
        inner.data.cut_off(&self.shared, stored)?;
        let now = (self.shared.clock)();
        let sites_word = is_sites_word(&end);
        let entry = Record { end: Some(end), gaps, ..inner.state.unchanged(now) };
        self.record(&mut inner, entry, sites_word)?;
        self.compact_if_long(&mut inner);
        Ok(inner.state.clone())
    }

    /// Records that the log was handed over as it was in `taken`. If it has gone on since, nothing is recorded, and it is
    /// handed over again at its next end.
    pub fn handed(&self, taken: &LogState) -> Result<(), StoreError> {
        let mut inner = super::hold(&self.inner);
        let state = &inner.state;
        let as_taken = state.end == taken.end && state.stored == taken.stored && state.received == taken.received;
        if state.end.is_none() || state.handed || !as_taken {
            return Ok(());
        }
        let entry = Record { handed: true, ..state.unchanged((self.shared.clock)()) };
        self.record(&mut inner, entry, false)
    }

    /// Notes that the site was heard now, where other processes can see it. No harm is done if that can't be noted.
    pub fn heard(&self) {
        let mut inner = super::hold(&self.inner);
        inner.heard_at = (self.shared.clock)();
        if let Some(Err(error)) = inner.journal.as_ref().map(|journal| journal.file().touch(inner.heard_at)) {
            tracing::debug!(log = %self.key, "can't note when the site was heard: {error}");
        }
    }

    /// Deletes the log's bytes and keeps what is known beside them: `stored` is 0, the position, the gaps and the end are
    /// as they were.
    pub fn discard(&self, epoch: u64) -> Result<(), CommitError> {
        let mut inner = super::hold(&self.inner);
        self.check_epoch(&inner.state, epoch)?;
        let mut state = inner.state.clone();
        state.stored = 0;
        state.gaps.iter_mut().for_each(|gap| gap.at = 0);
        state.ranges =
            state.ranges.pop().into_iter().map(|last| crate::wire::PolicyRange { from: 0, ..last }).collect();
        // The journal first: bytes that are left by a process that ends in between are found at the next start.
        // Flushed, or a loss of power could bring the old journal back without the bytes that it tells of.
        inner.journal = Some(self.shared.create_journal(&self.key, &state, true)?);
        inner.state = state;
        self.shared.sync_parents(&layout::journal(&self.key))?;
        self.restore_heard(&inner);
        inner.data.remove(&self.shared)?;
        Ok(())
    }

    fn check_epoch(&self, state: &LogState, epoch: u64) -> Result<(), CommitError> {
        // Epochs begin at 1, so 0 is never right.
        if (epoch != state.epoch || epoch == 0) && !is_broken(Rule::FenceAndBase) {
            return Err(CommitError::Fenced { epoch, current: state.epoch });
        }
        Ok(())
    }

    fn check_open(&self, state: &LogState, epoch: u64) -> Result<(), CommitError> {
        self.check_epoch(state, epoch)?;
        match &state.end {
            Some(end) if state.is_closed() => Err(CommitError::Ended { end: end.clone() }),
            _ => Ok(()),
        }
    }

    /// Records an entry that comes with no data. `from_site` tells whether the site was heard with it.
    fn record(&self, inner: &mut Inner, entry: Record, from_site: bool) -> Result<(), StoreError> {
        self.prepare(inner, &entry, true)?;
        self.write_entry(inner, entry)?;
        match from_site {
            true => inner.heard_at = (self.shared.clock)(),
            false => self.restore_heard(inner),
        }
        Ok(())
    }

    /// What the server writes by itself does not say that the site was heard.
    fn restore_heard(&self, inner: &Inner) {
        if let Some(Err(error)) = inner.journal.as_ref().map(|journal| journal.file().touch(inner.heard_at)) {
            tracing::debug!(log = %self.key, "can't note when the site was heard: {error}");
        }
    }

    /// Makes an entry ready to be written, see [`Journal::prepare`].
    fn prepare(&self, inner: &mut Inner, entry: &Record, last: bool) -> Result<(), StoreError> {
        let path = layout::journal(&self.key);
        let Some(journal) = &mut inner.journal else { return Err(self.never_opened()) };
        journal
            .prepare(entry, last)
            .map_err(self.shared.failed("reserve room in", &path))?
            .map_err(|bytes| StoreError::TooLarge { journal: self.shared.full(&path), bytes, limit: MAX_ENTRY })
    }

    /// Writes the entry that was prepared, and lets it count.
    fn write_entry(&self, inner: &mut Inner, entry: Record) -> Result<(), StoreError> {
        let path = layout::journal(&self.key);
        if self.shared.flushes() {
            self.make_names_last(inner)?;
        }
        let Some(journal) = &mut inner.journal else { return Err(self.never_opened()) };
        journal.write(self.shared.flushes()).map_err(self.shared.failed("write", &path))?;
        inner.state.apply(entry);
        Ok(())
    }

    fn never_opened(&self) -> StoreError {
        StoreError::NoSuchLog { store: self.shared.root.clone(), key: self.key.clone() }
    }

    fn create_data(&self, inner: &mut Inner) -> Result<(), StoreError> {
        if !inner.data.exists() {
            inner.names_last = false;
            inner.data.create(&self.shared)?;
        }
        Ok(())
    }

    /// Makes the names of both files last, once.
    fn make_names_last(&self, inner: &mut Inner) -> Result<(), StoreError> {
        if !inner.names_last {
            self.shared.sync_parents(&layout::journal(&self.key))?;
            if inner.data.exists() {
                self.shared.sync_parents(&layout::data(&self.key))?;
            }
            inner.names_last = true;
        }
        Ok(())
    }

    /// Replaces a journal that has grown long. The data is flushed before: its checksums go with the old entries. If that
    /// can't be done now, the old journal is as good, only longer.
    fn compact_if_long(&self, inner: &mut Inner) {
        if !inner.journal.as_ref().is_some_and(Journal::is_long) {
            return;
        }
        let new =
            inner.data.sync(&self.shared).and_then(|()| self.shared.create_journal(&self.key, &inner.state, true));
        let made = new.and_then(|journal| {
            // From its rename on the new one is the journal, whatever becomes of the flush of its name.
            inner.journal = Some(journal);
            inner.names_last = false;
            self.make_names_last(inner)
        });
        if let Err(error) = made {
            tracing::warn!(log = %self.key, "the log's journal is not compacted now: {error}");
            inner.journal.as_mut().into_iter().for_each(Journal::compact_later);
        }
        self.restore_heard(inner);
    }
}

/// Whether an end is what the site said, and not what the server came to by itself.
fn is_sites_word(end: &RecordedEnd) -> bool {
    matches!(end.kind(), EndKind::Complete | EndKind::Incomplete | EndKind::Aborted)
}

#[cfg(test)]
mod tests;
