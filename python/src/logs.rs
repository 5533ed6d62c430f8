//! The list of a store's logs, as Python sees it.

use std::path::{Path, PathBuf};

use fedtail::server::ending_name;
use fedtail::wire::LogEntry;
use pyo3::prelude::*;

use crate::ending::{Gap, gaps};

/// What is known of one log in the store.
#[pyclass(frozen, get_all, module = "fedtail")]
#[derive(Clone)]
pub struct StoredLog {
    job: String,
    site: String,
    log: String,
    stored: u64,
    last_heard: f64,
    ending: Option<&'static str>,
    reason: String,
    gaps: Vec<Gap>,
    policies: Vec<(u64, String)>,
    unreadable: String,
    path: PathBuf,
}

impl StoredLog {
    /// What an entry of the store in this directory says.
    pub fn new(store: &Path, entry: LogEntry) -> Self {
        let path = store.join(&entry.job).join(&entry.site).join(&entry.log);
        let (ending, reason) = match &entry.end {
            Some(end) => (Some(ending_name(end.kind())), end.reason.clone()),
            None => (None, String::new()),
        };
        Self {
            stored: entry.stored,
            last_heard: std::time::Duration::from_nanos(entry.last_heard_ns).as_secs_f64(),
            ending,
            reason,
            gaps: gaps(&entry.gaps),
            policies: entry.ranges.iter().map(|range| (range.from, hex(&range.policy_digest))).collect(),
            unreadable: entry.unreadable,
            path,
            job: entry.job,
            site: entry.site,
            log: entry.log,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[pymethods]
impl StoredLog {
    fn __repr__(&self) -> String {
        let state = self.ending.unwrap_or("open");
        format!("<fedtail.StoredLog: {}/{}/{} {state}, {} bytes>", self.job, self.site, self.log, self.stored)
    }
}
