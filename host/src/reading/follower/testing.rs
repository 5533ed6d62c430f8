//! A store with logs of job `j` that a test writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tempfile::TempDir;

use crate::names::{JobName, LogKey, LogName, SiteName};
use crate::store::{Batch, Durability, Reader, Store, StoredLog};
use crate::wire::{EndKind, RecordedEnd};

pub(crate) struct Written {
    pub directory: TempDir,
    store: Store,
    /// Held open, so that their files can be moved about.
    logs: Mutex<HashMap<LogKey, Arc<StoredLog>>>,
}

impl Written {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Durability::Process).unwrap();
        Self { directory, store, logs: Mutex::default() }
    }

    fn log(&self, site: &str, log: &str) -> Arc<StoredLog> {
        let key = key(site, log);
        let mut logs = self.logs.lock().unwrap();
        Arc::clone(logs.entry(key.clone()).or_insert_with(|| self.store.log(&key).unwrap()))
    }

    pub fn reader(&self) -> Reader {
        Reader::open(self.directory.path()).unwrap()
    }

    pub fn append(&self, site: &str, log: &str, text: &str) {
        let log = self.log(site, log);
        let state = match log.state() {
            state if state.epoch == 0 => log.open_stream(b"instance", b"").unwrap(),
            state => state,
        };
        let data = vec![Bytes::copy_from_slice(text.as_bytes())];
        let batch = Batch { base: state.received, received: text.len() as u64, data, ..Batch::default() };
        log.commit(state.epoch, batch).unwrap();
    }

    pub fn end(&self, site: &str, log: &str) {
        let log = self.log(site, log);
        let end = RecordedEnd { kind: EndKind::Complete.into(), reason: String::new() };
        log.end(log.state().epoch, end, Vec::new()).unwrap();
    }

    pub fn discard(&self, site: &str, log: &str) {
        let log = self.log(site, log);
        log.discard(log.state().epoch).unwrap();
    }

    /// Opens the stream again, as a site does that comes back.
    pub fn reopen(&self, site: &str, log: &str) {
        self.log(site, log).open_stream(b"instance", b"").unwrap();
    }
}

pub(crate) fn key(site: &str, log: &str) -> LogKey {
    LogKey { job: JobName::new("j").unwrap(), site: SiteName::new(site).unwrap(), log: LogName::new(log).unwrap() }
}
