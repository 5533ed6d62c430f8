//! What the embedding program is told when a stream has ended.

use std::fmt;
use std::path::PathBuf;

use crate::names::LogKey;
use crate::wire;

/// How a stream ended. Told exactly once for each stream, after it was recorded in the store.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Which log.
    pub key: LogKey,
    /// How.
    pub kind: wire::EndKind,
    /// Why, in words; empty where there is nothing to say.
    pub reason: String,
    /// Bytes in the store.
    pub stored: u64,
    /// What was lost at the source, over the log's whole life.
    pub gaps: Vec<wire::Gap>,
    /// Where the log is; also a partial one stays there.
    pub path: PathBuf,
    /// Whether the policy had it deleted.
    pub discarded: bool,
}

/// The name of an ending, as programs print it.
pub fn ending_name(kind: wire::EndKind) -> &'static str {
    match kind {
        wire::EndKind::Complete => "complete",
        wire::EndKind::Incomplete => "incomplete",
        wire::EndKind::Idle => "idle",
        wire::EndKind::Aborted => "aborted",
        wire::EndKind::Superseded => "superseded",
        wire::EndKind::Failed => "failed",
        wire::EndKind::Unspecified => "ended",
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}, {} bytes", self.key, ending_name(self.kind), self.stored)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        for gap in &self.gaps {
            write!(f, "; {gap}")?;
        }
        if self.discarded {
            f.write_str("; deleted, as the policy says")?;
        } else if !matches!(self.kind, wire::EndKind::Complete | wire::EndKind::Incomplete) {
            write!(f, "; the partial log stays in {}", self.path.display())?;
        }
        Ok(())
    }
}

/// Takes finished logs over, for example into the job's artifacts.
pub trait LogFinished: Send + Sync + 'static {
    /// The log has ended well and is whole at [`Ended::path`]. Called at least once: again after a restart of the
    /// server if it was not known to have returned well. May block. An error leaves the log where it is; it is handed
    /// over again at the next start.
    fn finished(&self, log: &Ended) -> Result<(), String>;
}

/// The default: the log stays in the store.
pub struct StaysInStore;

impl LogFinished for StaysInStore {
    fn finished(&self, _log: &Ended) -> Result<(), String> {
        Ok(())
    }
}
