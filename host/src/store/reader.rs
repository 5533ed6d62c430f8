//! Reads a store that a server in another process may be writing to. Takes no lock and writes nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::names::{JobName, LogKey};
use crate::wire::LogEntry;

use super::disk::{Disk, DiskFile, Open, RealDisk};
use super::error::StoreError;
use super::journal::{Header, Replay};
use super::layout;
use super::lines;
use super::lock::Lock;
use super::state::LogState;

/// A store to read from.
#[derive(Clone)]
pub struct Reader {
    shared: Arc<Place>,
}

/// Which store is read.
struct Place {
    root: PathBuf,
    disk: RealDisk,
}

impl Reader {
    /// Opens the store. It must be there; that it has logs is not asked.
    pub fn open(root: &Path) -> Result<Self, StoreError> {
        let disk = RealDisk::open(root, false).map_err(|source| StoreError::Io {
            action: "open the store",
            path: root.to_owned(),
            source,
        })?;
        Ok(Self { shared: Arc::new(Place { root: root.to_owned(), disk }) })
    }

    /// Whether a server holds the store now.
    pub fn server_is_running(&self) -> bool {
        Lock::is_held(&self.shared.disk)
    }

    /// The store's directory, as it was given.
    pub fn directory(&self) -> &Path {
        &self.shared.root
    }

    /// Where the journals are, each as `<job>/<site>/<log>` below it. A commit is there once it is written here, so this is
    /// where those watch who wait for one; a directory that is not there yet has seen none.
    pub fn journals(&self) -> PathBuf {
        self.shared.root.join(layout::OWN)
    }

    /// The names of all logs, or of those of one job, in order. No log is looked at.
    pub fn names(&self, job: Option<&JobName>) -> Result<Vec<LogKey>, StoreError> {
        let disk = &self.shared.disk;
        let found = job.map_or_else(|| layout::logs(disk), |job| layout::logs_of(disk, job));
        found.map_err(self.shared.failed("list", Path::new(layout::OWN)))
    }

    /// All logs, in order of job, site and log. A log that can't be read is left out, with a warning, and keeps nobody from
    /// seeing the others.
    pub fn list(&self) -> Result<Vec<LogEntry>, StoreError> {
        let keys = self.names(None)?;
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            match self.log(&key).and_then(|mut log| log.refresh()) {
                Ok(entry) => entries.push(entry),
                Err(error) => tracing::warn!(log = %key, "the log is left out: {error}"),
            }
        }
        Ok(entries)
    }

    /// One log, as it is now.
    pub fn log(&self, key: &LogKey) -> Result<LogReader, StoreError> {
        let journal = Journal::open(&self.shared, key)?;
        let mut log = LogReader { shared: Arc::clone(&self.shared), key: key.clone(), journal, data: OnceLock::new() };
        log.refresh()?;
        Ok(log)
    }
}

impl Place {
    fn failed(&self, action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = self.root.join(path);
        move |source| StoreError::Io { action, path, source }
    }
}

/// A journal as far as it was read.
struct Journal {
    file: Box<dyn DiskFile>,
    inode: u64,
    /// None where nothing is left of it.
    replay: Option<Replay>,
    state: LogState,
}

impl Journal {
    fn open(place: &Place, key: &LogKey) -> Result<Self, StoreError> {
        let path = layout::journal(key);
        let file = place.disk.open(&path, Open::Read).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::NoSuchLog { store: place.root.clone(), key: key.clone() },
            _ => place.failed("open", &path)(source),
        })?;
        let inode = file.status().map_err(place.failed("look at", &path))?.inode;
        let (header, replay) = Replay::begin(&*file).map_err(place.failed("read", &path))?;
        let replay = match header {
            Header::Whole(_) => Some(replay),
            Header::Blank => None,
            Header::Foreign(problem, advice) => {
                return Err(StoreError::NotAJournal { journal: place.root.join(path), problem, advice });
            }
        };
        Ok(Self { file, inode, replay, state: LogState::default() })
    }
}

/// One log to read from.
pub struct LogReader {
    shared: Arc<Place>,
    key: LogKey,
    journal: Journal,
    /// Opened when something is read first.
    data: OnceLock<Box<dyn DiskFile>>,
}

impl LogReader {
    /// Which log this is.
    pub fn key(&self) -> &LogKey {
        &self.key
    }

    /// Looks what was committed since: reads what was added to the journal, or the new journal if the server has replaced
    /// it.
    pub fn refresh(&mut self) -> Result<LogEntry, StoreError> {
        let path = layout::journal(&self.key);
        let now = self.shared.disk.status(&path).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => StoreError::NoSuchLog { store: self.shared.root.clone(), key: self.key.clone() },
            _ => self.shared.failed("look at", &path)(source),
        })?;
        if now.inode != self.journal.inode {
            self.journal = Journal::open(&self.shared, &self.key)?;
            // A log that was discarded goes on in another file.
            self.data = OnceLock::new();
        }
        let Journal { file, replay, state, .. } = &mut self.journal;
        if let Some(replay) = replay {
            replay.read(&**file, |entry| state.apply(entry)).map_err(self.shared.failed("read", &path))?;
        }
        Ok(self.journal.state.entry(&self.key, now.modified))
    }

    /// What was known of the log at the last refresh.
    pub fn state(&self) -> &LogState {
        &self.journal.state
    }

    /// At most `max` bytes at `offset`, as of the last refresh: empty at the committed length, and never beyond it.
    pub fn read_at(&self, offset: u64, max: usize) -> Result<Bytes, StoreError> {
        let left = self.journal.state.stored.saturating_sub(offset);
        let mut buffer = vec![0; max.min(usize::try_from(left).unwrap_or(max))];
        if buffer.is_empty() {
            return Ok(Bytes::new());
        }
        let path = layout::data(&self.key);
        let read = self.data()?.read_at(&mut buffer, offset).map_err(self.shared.failed("read", &path))?;
        if read == 0 {
            return Err(self.shortened());
        }
        buffer.truncate(read);
        Ok(Bytes::from(buffer))
    }

    /// Where the last `lines` committed lines begin, as of the last refresh; a last line without a line feed counts as one.
    /// The committed length for 0 lines, 0 if there are fewer.
    pub fn last_lines(&self, lines: u64) -> Result<u64, StoreError> {
        let stored = self.journal.state.stored;
        if stored == 0 {
            return Ok(0);
        }
        let data = self.data()?;
        let mut short = false;
        let fill = |mut buffer: &mut [u8], mut at: u64| {
            while !buffer.is_empty() {
                match data.read_at(buffer, at)? {
                    0 => {
                        short = true;
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    read => {
                        buffer = &mut buffer[read..];
                        at += read as u64;
                    }
                }
            }
            Ok(())
        };
        match lines::last_lines(lines, stored, fill) {
            Err(_) if short => Err(self.shortened()),
            found => found.map_err(self.shared.failed("read", &layout::data(&self.key))),
        }
    }

    fn data(&self) -> Result<&dyn DiskFile, StoreError> {
        if let Some(data) = self.data.get() {
            return Ok(&**data);
        }
        let path = layout::data(&self.key);
        let opened = self.shared.disk.open(&path, Open::Read).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => self.shortened(),
            _ => self.shared.failed("open", &path)(source),
        })?;
        Ok(&**self.data.get_or_init(|| opened))
    }

    fn shortened(&self) -> StoreError {
        let path = layout::data(&self.key);
        StoreError::Shortened {
            has: self.shared.disk.status(&path).ok().map(|status| status.len),
            data: self.shared.root.join(path),
            journal: self.shared.root.join(layout::journal(&self.key)),
            committed: self.journal.state.stored,
        }
    }
}

#[cfg(test)]
mod tests;
