//! The job's files, as the site's process sees them.

use std::ffi::OsStr;
use std::io;

use super::Job;
use crate::source::{Directory, Entry, SourceFile, Stat};

/// The job's directory for the site.
pub(in super::super) struct JobDirectory(pub(super) Job);

struct JobFile {
    job: Job,
    file: usize,
}

impl Directory for JobDirectory {
    fn scan(&self, wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Vec<Entry>> {
        let mut state = self.0.lock();
        state.operation();
        state.scanned = true;
        state.scanned_at = state.operations;
        let names = state.names.iter().filter(|(name, _)| wanted(name));
        Ok(names.map(|(name, file)| Entry { name: name.clone(), stat: state.stat(*file) }).collect())
    }

    fn open(&self, name: &OsStr) -> io::Result<Box<dyn SourceFile>> {
        let mut state = self.0.lock();
        state.operation();
        if !state.descriptors {
            // Too many open files.
            return Err(io::Error::from_raw_os_error(24));
        }
        let file = *state.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        state.files[file].opened += 1;
        Ok(Box::new(JobFile { job: self.0.clone(), file }))
    }
}

impl SourceFile for JobFile {
    fn stat(&self) -> io::Result<Stat> {
        let mut state = self.job.lock();
        state.operation();
        Ok(state.stat(self.file))
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.job.lock();
        state.operation();
        state.files[self.file].looked_at = state.operations;
        let bytes = state.files[self.file].bytes.get(offset as usize..).unwrap_or_default();
        let length = bytes.len().min(buf.len());
        buf[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }
}

impl Drop for JobFile {
    fn drop(&mut self) {
        let mut state = self.job.lock();
        state.files[self.file].opened -= 1;
        state.release(self.file);
    }
}
