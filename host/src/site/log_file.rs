//! Which log a stream sends, and how.

use std::path::PathBuf;
use std::time::Duration;

use crate::names::{JobName, LogName};

/// Which log a stream sends.
#[derive(Debug, Clone)]
pub struct LogFile {
    pub(super) path: PathBuf,
    pub(super) job: JobName,
    pub(super) name: Option<LogName>,
    pub(super) once: bool,
    pub(super) liveness_interval: Option<Duration>,
    pub(super) poll_interval: Option<Duration>,
}

impl LogFile {
    /// The log at this path, which need not exist yet; its directory has to.
    pub fn new(path: impl Into<PathBuf>, job: JobName) -> Self {
        Self { path: path.into(), job, name: None, once: false, liveness_interval: None, poll_interval: None }
    }

    /// The name that the server files it under, if not the file's own.
    pub fn name(mut self, name: LogName) -> Self {
        self.name = Some(name);
        self
    }

    /// Only what is there now: a snapshot.
    pub fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// How often the server hears of this log at least, if not as often as of the others of the site.
    pub fn liveness_interval(mut self, interval: Duration) -> Self {
        self.liveness_interval = Some(interval);
        self
    }

    /// How often to look at this log when no event came, if not as often as at the others of the site.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = Some(interval);
        self
    }
}
