//! What is new in the logs that are followed.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::Selection;
use crate::names::LogKey;
use crate::store::{LogReader, Reader, StoreError};
use crate::wire::TailChunk;

/// The most that is read of one log at a time: large enough for speed, and a chunk of the wire.
const PIECE: usize = 256 << 10;

/// Where to begin in the logs that are there at first. Logs that appear later are read from their beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// With this many last lines; a last line without a line feed counts as one.
    LastLines(u64),
    /// With the first byte.
    Beginning,
}

/// Knows how far each log has been read, and reads on. Blocks on files.
///
/// [`Follower::list`] finds logs, [`Follower::refresh`] what was committed to them since, [`Follower::read_next`] reads it.
pub struct Follower {
    reader: Reader,
    selection: Selection,
    begin: Begin,
    listed: bool,
    /// Whether logs with much to read take turns, or the first is read to its end before the next one.
    turns: bool,
    logs: BTreeMap<LogKey, Followed>,
    /// Those that have something which was not handed out.
    ready: VecDeque<LogKey>,
    notes: VecDeque<TailChunk>,
}

#[derive(Default)]
struct Followed {
    /// None while it can't be read.
    log: Option<LogReader>,
    offset: u64,
    /// It was told that the stream has ended at `offset`.
    ended: bool,
    /// It stands in the queue.
    ready: bool,
    /// The reason that was told last.
    trouble: String,
}

impl Follower {
    /// Reads nothing yet. `turns`: logs with much to read take turns, as is right for those who look at all of them live;
    /// otherwise each is read to its end before the next.
    pub fn new(reader: Reader, selection: Selection, begin: Begin, turns: bool) -> Self {
        let (logs, ready, notes) = Default::default();
        Self { reader, selection, begin, listed: false, turns, logs, ready, notes }
    }

    /// Which logs are read.
    pub fn selection(&self) -> &Selection {
        &self.selection
    }

    /// Whether no log was found so far.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty()
    }

    /// Looks for logs that are new, and again at those that could not be read.
    ///
    /// # Errors
    ///
    /// The store itself can't be read. What is wrong with one log comes as a note from [`Follower::read_next`].
    pub fn list(&mut self) -> Result<(), StoreError> {
        for key in self.reader.names(Some(&self.selection.job))? {
            if !self.selection.takes(&key) {
                continue;
            }
            let known = self.logs.get(&key);
            if known.is_some_and(|known| known.log.is_some()) {
                continue;
            }
            let opened = self.reader.log(&key).and_then(|log| {
                let offset = match (known, self.begin) {
                    // It goes on where it could not be read any more.
                    (Some(known), _) => known.offset,
                    (None, Begin::LastLines(lines)) if !self.listed => log.last_lines(lines)?,
                    (None, _) => 0,
                };
                Ok((log, offset))
            });
            match opened {
                Ok((log, offset)) => {
                    let followed = self.logs.entry(key.clone()).or_default();
                    *followed = Followed { log: Some(log), offset, ..Followed::default() };
                    followed.enqueue(&key, &mut self.ready);
                }
                Err(StoreError::NoSuchLog { .. }) => {}
                Err(error) => self.logs.entry(key.clone()).or_default().fail(&key, &error, &mut self.notes),
            }
        }
        self.listed = true;
        Ok(())
    }

    /// Looks what was committed to the known logs since.
    pub fn refresh(&mut self) {
        self.logs.retain(|key, followed| {
            let Some(log) = &mut followed.log else { return true };
            match log.refresh() {
                Ok(_) => followed.enqueue(key, &mut self.ready),
                // Somebody has tidied up.
                Err(StoreError::NoSuchLog { .. }) => return false,
                Err(error) => followed.fail(key, &error, &mut self.notes),
            }
            true
        });
    }

    /// Reads the next piece of a log; none when all that was committed at the last look has been read. A log that can't be
    /// read gives a note, once, and is tried again at each [`Follower::list`].
    pub fn read_next(&mut self) -> Option<TailChunk> {
        loop {
            if let Some(note) = self.notes.pop_front() {
                return Some(note);
            }
            let key = self.ready.pop_front()?;
            // It may have been removed while it waited.
            let Some(followed) = self.logs.get_mut(&key) else { continue };
            followed.ready = false;
            let Some(log) = &followed.log else { continue };
            let read = match log.read_at(followed.offset, PIECE) {
                Ok(read) => read,
                Err(error) => {
                    followed.fail(&key, &error, &mut self.notes);
                    continue;
                }
            };
            followed.offset += read.len() as u64;
            followed.ended = followed.offset == log.state().stored && log.state().is_closed();
            let ended = followed.ended;
            if followed.has_news() {
                followed.ready = true;
                match self.turns {
                    true => self.ready.push_back(key.clone()),
                    false => self.ready.push_front(key.clone()),
                }
            }
            if !read.is_empty() || ended {
                return Some(chunk(&key, read, ended));
            }
        }
    }
}

impl Followed {
    /// Whether there is something to hand out.
    fn has_news(&self) -> bool {
        let Some(log) = &self.log else { return false };
        log.state().stored != self.offset || (log.state().is_closed() && !self.ended)
    }

    fn enqueue(&mut self, key: &LogKey, ready: &mut VecDeque<LogKey>) {
        let Some(log) = &self.log else { return };
        if log.state().stored < self.offset {
            // The log was discarded, as the policy says, and begins anew.
            self.offset = 0;
            self.ended = false;
        }
        if !self.ready && self.has_news() {
            self.ready = true;
            ready.push_back(key.clone());
        }
    }

    fn fail(&mut self, key: &LogKey, error: &StoreError, notes: &mut VecDeque<TailChunk>) {
        self.log = None;
        let words = error.to_string();
        if words != self.trouble {
            notes.push_back(TailChunk { note: words.clone(), ..chunk(key, Bytes::new(), false) });
            self.trouble = words;
        }
    }
}

fn chunk(key: &LogKey, payload: Bytes, ended: bool) -> TailChunk {
    TailChunk { site: key.site.to_string(), log: key.log.to_string(), payload, ended, note: String::new() }
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
