//! How a log is found again: what its journal says, and whether its data file agrees.
//!
//! After the process has ended, however it did, the last whole entry of the journal holds; what lies behind the
//! committed length in the data file is left there, since the site sends it again and a reader with `tail -f` would print
//! everything anew if the file were shortened. After the machine itself went down, what was not flushed may be lost in any
//! order, so each entry's checksum is compared with the data, and the log goes back to the longest beginning that holds.

use std::io;
use std::time::SystemTime;

use crate::broken::{Rule, is_broken};
use crate::names::LogKey;
use crate::wire::Record;

use super::Shared;
use super::data::DataFile;
use super::disk::{DiskFile, Open};
use super::error::StoreError;
use super::journal::{Header, Journal, Replay};
use super::layout;
use super::state::LogState;

/// A log as it was found.
pub(super) struct Found {
    pub state: LogState,
    /// None if the log was never opened, or nothing is left of its journal.
    pub journal: Option<Journal>,
    pub data: DataFile,
    /// When the site was last heard.
    pub heard_at: SystemTime,
}

/// Loads a log, and changes nothing unless the machine went down since.
pub(super) fn load(shared: &Shared, key: &LogKey) -> Result<Found, StoreError> {
    let mut data = DataFile::find(shared, key)?;
    let data_len = data.end(shared)?;
    let journal_path = layout::journal(key);
    let file = match shared.disk.open(&journal_path, Open::Write) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if data_len > 0 && !is_broken(Rule::OnlyItsOwnData) {
                let (data, journal) = (shared.full(&layout::data(key)), shared.full(&journal_path));
                return Err(StoreError::NoJournal { data, journal, bytes: data_len });
            }
            return Ok(Found { state: LogState::default(), journal: None, data, heard_at: (shared.clock)() });
        }
        opened => opened.map_err(shared.failed("open", &journal_path))?,
    };

    let heard_at = file.status().map_err(shared.failed("look at", &journal_path))?.modified;
    let (header, mut replay) = Replay::begin(&*file).map_err(shared.failed("read", &journal_path))?;
    let boot = match header {
        Header::Whole(boot) => boot,
        Header::Blank => {
            tracing::warn!(log = %key, "the log's journal was lost when the machine went down: the log begins anew");
            return Ok(Found { state: LogState::default(), journal: None, data, heard_at });
        }
        Header::Foreign(problem, advice) => {
            return Err(StoreError::NotAJournal { journal: shared.full(&journal_path), problem, advice });
        }
    };
    let mut entries = Vec::new();
    replay.read(&*file, |entry| entries.push(entry)).map_err(shared.failed("read", &journal_path))?;

    let machine_went_down = !boot.is_same(shared.boot);
    let mut state = LogState::default();
    let newest = entries.last().map_or(0, |entry| entry.epoch);
    let claimed = entries.last().map_or(0, |entry| entry.stored);
    for entry in entries {
        if !state.can_be_followed_by(&entry) {
            return Err(StoreError::NotAJournal {
                journal: shared.full(&journal_path),
                problem: "its entries contradict each other",
                advice: "put it back from a backup, or move it and the log away",
            });
        }
        if machine_went_down {
            let held = holds(data.file(), state.stored, &entry).map_err(shared.failed("read", &layout::data(key)))?;
            if !held {
                tracing::warn!(
                    log = %key,
                    "the log's last {} bytes were lost when the machine went down: it goes on from byte {}",
                    claimed.saturating_sub(state.stored),
                    state.stored
                );
                break;
            }
        }
        state.apply(entry);
    }
    // Openings are counted on, whatever becomes of the bytes: an epoch is never given twice.
    state.epoch = newest;
    if data_len < state.stored {
        return Err(data.shortened(shared, state.stored));
    }
    let journal = if machine_went_down {
        settle(shared, key, &state, &data, heard_at)?
    } else {
        Journal::resume(file, &replay).map_err(shared.failed("look at", &journal_path))?
    };
    if state.stored == 0 && state.received > 0 && state.end.is_some() && data.exists() {
        // The log was discarded, or all of it dropped, and the process ended before the file was gone.
        data.remove(shared)?;
    }
    Ok(Found { state, journal: Some(journal), data, heard_at })
}

/// Makes what was found to hold the beginning of a new journal, so that it is looked at once and not at each start.
fn settle(
    shared: &Shared,
    key: &LogKey,
    state: &LogState,
    data: &DataFile,
    heard_at: SystemTime,
) -> Result<Journal, StoreError> {
    let path = layout::journal(key);
    data.sync(shared)?;
    let journal = shared.create_journal(key, state, true)?;
    shared.sync_parents(&path)?;
    journal.file().touch(heard_at).map_err(shared.failed("set the time of", &path))?;
    Ok(journal)
}

/// Whether the data file has the bytes that this entry committed behind `from`.
fn holds(data: Option<&dyn DiskFile>, from: u64, entry: &Record) -> io::Result<bool> {
    if entry.snapshot || entry.stored == from {
        // What a snapshot says was flushed before it was written.
        return Ok(true);
    }
    let Some(data) = data else { return Ok(false) };
    let mut at = from;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 256 << 10];
    while at < entry.stored {
        let want = buffer.len().min((entry.stored - at) as usize);
        match data.read_at(&mut buffer[..want], at)? {
            0 => return Ok(false),
            read => {
                hasher.update(&buffer[..read]);
                at += read as u64;
            }
        }
    }
    Ok(entry.stored > from && hasher.finalize() == entry.data_crc)
}

#[cfg(test)]
mod tests;
