//! The data file of a log: how bytes get behind those that are committed.

use std::io::{self, IoSlice};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;

use crate::broken::{Rule, is_broken};
use crate::names::LogKey;

use super::Shared;
use super::disk::{DiskFile, Open};
use super::error::StoreError;
use super::layout;

/// A log's data file, which may not be there.
pub(super) struct DataFile {
    path: PathBuf,
    journal: PathBuf,
    file: Option<Arc<dyn DiskFile>>,
    /// Where the file ends; what lies behind the committed length is not committed. None if a write went wrong, so that
    /// the file has to be asked.
    end: Option<u64>,
}

impl DataFile {
    /// Opens the file if it is there.
    pub(super) fn find(shared: &Shared, key: &LogKey) -> Result<Self, StoreError> {
        let (path, journal) = (layout::data(key), layout::journal(key));
        let (file, end) = match shared.disk.open(&path, Open::Write) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, 0),
            opened => {
                let file = opened.map_err(shared.failed("open", &path))?;
                let end = file.status().map_err(shared.failed("look at", &path))?.len;
                (Some(Arc::from(file)), end)
            }
        };
        Ok(Self { path, journal, file, end: Some(end) })
    }

    /// Makes the file if it is not there. Its name lasts after [`Shared::sync_parents`].
    pub(super) fn create(&mut self, shared: &Shared) -> Result<Arc<dyn DiskFile>, StoreError> {
        if let Some(file) = &self.file {
            return Ok(Arc::clone(file));
        }
        shared.create_parents(&self.path)?;
        let file = shared.disk.open(&self.path, Open::Create).map_err(shared.failed("open", &self.path))?;
        let file = Arc::from(file);
        self.file = Some(Arc::clone(&file));
        self.end = None;
        Ok(file)
    }

    /// Whether the file is there.
    pub(super) fn exists(&self) -> bool {
        self.file.is_some()
    }

    /// The open file, to read what it has.
    pub(super) fn file(&self) -> Option<&dyn DiskFile> {
        self.file.as_deref()
    }

    /// Where the file ends; 0 if it is not there.
    pub(super) fn end(&self, shared: &Shared) -> Result<u64, StoreError> {
        match (&self.file, self.end) {
            (None, _) => Ok(0),
            (Some(_), Some(end)) => Ok(end),
            (Some(file), None) => Ok(file.status().map_err(shared.failed("look at", &self.path))?.len),
        }
    }

    /// Writes `pieces`, `length` bytes in all, at the committed length `from`, over what an earlier attempt left there.
    /// While the bytes are the same as those, the file is not shortened, so that nobody who follows it sees them twice.
    /// After an error any part of them may be there.
    pub(super) fn write(
        &mut self,
        shared: &Shared,
        from: u64,
        pieces: &[Bytes],
        length: u64,
    ) -> Result<(), StoreError> {
        let file = self.create(shared)?;
        let mut end = self.end(shared)?;
        if end < from {
            return Err(self.shortened(shared, from));
        }
        // Not known until all went well.
        self.end = None;
        let from = if is_broken(Rule::WriteAtCommitted) { end } else { from };
        let mut same = 0;
        if end > from {
            same = same_bytes(&*file, pieces, from).map_err(shared.failed("read", &self.path))?;
            if same < length && from + same < end {
                end = from + same;
                file.set_len(end).map_err(shared.failed("shorten", &self.path))?;
            }
            if shared.flushes() {
                // A flush that failed can leave bytes in memory that count as written and are not: so write them again.
                same = 0;
            }
        }
        let mut skip = same as usize;
        let mut buffers = Vec::with_capacity(pieces.len());
        for piece in pieces {
            let skipped = skip.min(piece.len());
            skip -= skipped;
            if skipped < piece.len() {
                buffers.push(IoSlice::new(&piece[skipped..]));
            }
        }
        if !buffers.is_empty() {
            file.write_at(&mut buffers, from + same).map_err(shared.failed("write", &self.path))?;
        }
        if shared.flushes() {
            self.sync(shared)?;
        }
        self.end = Some(end.max(from + length));
        Ok(())
    }

    /// Cuts off what lies behind the committed length. The file itself is asked for its length, since this is the last
    /// time that somebody looks.
    pub(super) fn cut_off(&mut self, shared: &Shared, committed: u64) -> Result<(), StoreError> {
        let Some(file) = &self.file else { return Ok(()) };
        let end = file.status().map_err(shared.failed("look at", &self.path))?.len;
        self.end = Some(end);
        if end < committed {
            return Err(self.shortened(shared, committed));
        }
        if end > committed {
            file.set_len(committed).map_err(shared.failed("shorten", &self.path))?;
            self.end = Some(committed);
            if shared.flushes() {
                self.sync(shared)?;
            }
        }
        Ok(())
    }

    /// Makes what was written last.
    pub(super) fn sync(&self, shared: &Shared) -> Result<(), StoreError> {
        if is_broken(Rule::FlushBeforeAcknowledging) {
            return Ok(());
        }
        match &self.file {
            Some(file) => file.sync().map_err(shared.failed("flush", &self.path)),
            None => Ok(()),
        }
    }

    /// Removes the file if it is there.
    pub(super) fn remove(&mut self, shared: &Shared) -> Result<(), StoreError> {
        if self.file.take().is_none() {
            return Ok(());
        }
        self.end = Some(0);
        match shared.disk.remove(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            removed => removed.map_err(shared.failed("remove", &self.path))?,
        }
        if shared.flushes() {
            shared.sync_parents(&self.path)?;
        }
        Ok(())
    }

    /// The error for a file that has less than was committed.
    pub(super) fn shortened(&self, shared: &Shared, committed: u64) -> StoreError {
        StoreError::Shortened {
            data: shared.full(&self.path),
            journal: shared.full(&self.journal),
            has: self.file.as_ref().and_then(|file| file.status().ok()).map(|status| status.len),
            committed,
        }
    }
}

/// How many bytes from the beginning of `pieces` the file has at `from`.
fn same_bytes(file: &dyn DiskFile, pieces: &[Bytes], from: u64) -> io::Result<u64> {
    let mut same = 0;
    let mut buffer = vec![0; 64 << 10];
    for piece in pieces {
        let mut rest = &piece[..];
        while !rest.is_empty() {
            let want = rest.len().min(buffer.len());
            let read = file.read_at(&mut buffer[..want], from + same)?;
            let alike = match rest[..read] == buffer[..read] {
                true => read,
                false => rest.iter().zip(&buffer).take_while(|(new, old)| new == old).count(),
            };
            same += alike as u64;
            if alike < read || read == 0 {
                return Ok(same);
            }
            rest = &rest[read..];
        }
    }
    Ok(same)
}
