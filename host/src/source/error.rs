//! Why a source could not be read.

use std::io;
use std::path::{Path, PathBuf};

/// Why a source could not be read. A call that failed has changed nothing and can be made again, except after
/// [`SourceError::DifferentSource`], which is for good.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory of the log is not there.
    #[error("there is no directory {}; create it, or check the log's path", .path.display())]
    NotFound {
        /// The directory.
        path: PathBuf,
    },
    /// The path names something that can't be a log.
    #[error("{} can't be followed as a log: it {what}", .path.display())]
    NotALog {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// This process may not read it.
    #[error("{} may not be read by the user that this runs as; grant it read access", .path.display())]
    Denied {
        /// The file, or the directory.
        path: PathBuf,
    },
    /// The stream had ended, and what is here now is another log.
    #[error(
        "{} is not the log that the server has under this name: that one had ended, and no file here continues it; \
         use a job id of its own for a new run", .path.display()
    )]
    DifferentSource {
        /// The log.
        path: PathBuf,
    },
    /// The file was handed out before the last `resume`, or has been let go since.
    #[error("this file is of the time before the last resume, or was acknowledged and let go; ask for it again")]
    Stale,
    /// The offset is not one that the call can be made with.
    #[error("offset {offset} of {} is not between {from} and {to}, which is what was read and is still held", .path.display())]
    BadOffset {
        /// The file.
        path: PathBuf,
        /// The offset that was asked for.
        offset: u64,
        /// The least that can be asked for.
        from: u64,
        /// The most that can be asked for.
        to: u64,
    },
    /// Anything else that the operating system refused.
    #[error("{}: {error}", .path.display())]
    Io {
        /// The file, or the directory.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        error: io::Error,
    },
}

impl SourceError {
    /// An error of the operating system, about `path`.
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::Denied { path: path.into() },
            _ => Self::Io { path: path.into(), error },
        }
    }
}
