//! The audit file: one process writes it, at its end.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::AuditError;
use super::chain::{self, End};
use super::entry::Entry;

/// The end of the file that is looked at to go on from: longer than any two entries.
const TAIL: u64 = 256 << 10;

/// The file, locked.
pub struct AuditFile {
    file: File,
    path: PathBuf,
    end: End,
    /// A write failed, and where the file ends is to be looked at.
    doubtful: bool,
}

impl AuditFile {
    /// Opens the file, or makes it, for this user alone.
    pub fn open(path: &Path) -> Result<Self, AuditError> {
        let failed = |reason| AuditError::Io { file: path.into(), action: "opened", reason };
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AuditError::Locked { file: path.into() }),
            Err(TryLockError::Error(reason)) => {
                return Err(AuditError::Io { file: path.into(), action: "locked", reason });
            }
        }
        let mut this = Self { file, path: path.into(), end: End::default(), doubtful: true };
        this.find_end()?;
        Ok(this)
    }

    /// Appends these entries and flushes them. Returns how many of them are in the file, which is all if there is no
    /// error.
    pub fn append(&mut self, entries: &[(Entry, SystemTime)]) -> (usize, Result<(), AuditError>) {
        if self.doubtful
            && let Err(error) = self.find_end()
        {
            return (0, Err(error));
        }
        let before = self.end.number;
        let mut lines = Vec::new();
        let mut end = self.end.clone();
        for (entry, at) in entries {
            lines.extend(end.line(entry, *at));
        }
        match self.write(&lines) {
            Ok(()) => {
                self.end = end;
                (entries.len(), Ok(()))
            }
            Err(error) => {
                self.doubtful = true;
                // Whole lines of a batch that was cut short are in the chain.
                let written = match self.last_line() {
                    Ok((end, _)) => end.number.saturating_sub(before).min(entries.len() as u64),
                    Err(_) => 0,
                };
                (usize::try_from(written).unwrap_or(0), Err(error))
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AuditError> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_data());
        written.map_err(|reason| AuditError::Io { file: self.path.clone(), action: "written", reason })
    }

    /// Finds where the chain ends; ends a torn line and says so in an entry.
    fn find_end(&mut self) -> Result<(), AuditError> {
        let (mut end, torn) = self.last_line()?;
        if !torn.is_empty() {
            let repaired = Entry::Repaired { torn_bytes: torn.len() as u64, torn_sha256: chain::digest(&torn) };
            let mut lines = vec![b'\n'];
            lines.extend(end.line(&repaired, SystemTime::now()));
            self.write(&lines)?;
        }
        self.end = end;
        self.doubtful = false;
        Ok(())
    }

    /// The end of the chain, and the bytes behind its last whole line.
    fn last_line(&mut self) -> Result<(End, Vec<u8>), AuditError> {
        let mut read = || {
            let length = self.file.seek(SeekFrom::End(0))?;
            self.file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
            let mut tail = Vec::new();
            Read::by_ref(&mut self.file).take(TAIL).read_to_end(&mut tail)?;
            std::io::Result::Ok((tail, length <= TAIL))
        };
        let (tail, whole) =
            read().map_err(|reason| AuditError::Io { file: self.path.clone(), action: "read", reason })?;
        let error = |reason: String| AuditError::NoEnd { file: self.path.clone(), reason };
        let mut lines: Vec<&[u8]> = tail.split(|byte| *byte == b'\n').collect();
        let torn = lines.pop().unwrap_or_default().to_vec();
        if !whole {
            // Its beginning may lie before the tail.
            lines = lines.split_off(lines.len().min(1));
        }
        match lines.as_slice() {
            [] if whole => Ok((End::default(), torn)),
            [] => Err(error(format!("its last {TAIL} bytes have no whole line"))),
            [.., last] => match chain::parse(last) {
                Ok((end, ..)) => Ok((end, torn)),
                // Not torn by a crash, since it has its line feed: a person should look at it.
                Err(reason) => Err(error(format!("its last line: {reason}"))),
            },
        }
    }
}
