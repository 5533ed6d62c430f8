//! What can go wrong with the store, for the person who reads it: what, where, and what to do.

use std::io;
use std::path::PathBuf;

use crate::names::LogKey;
use crate::wire;

/// Why the store, or one log in it, can't be used. Nothing that was stored has been touched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another server holds the store's lock.
    #[error(
        "the store {} is in use by another fedtail server{}: stop that one, or give this one a store of its own",
        path.display(),
        holder.as_ref().map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Locked {
        /// The store's directory.
        path: PathBuf,
        /// The process id that the holder wrote down, as seen in its own process namespace.
        holder: Option<String>,
    },
    /// Its server was closed.
    #[error("the store {} is not open any more: its server was closed", path.display())]
    Closed {
        /// The store's directory.
        path: PathBuf,
    },
    /// There is data under the log's name that the store did not write, or whose journal is lost.
    #[error(
        "{} holds {bytes} bytes and has no journal ({}), so how far it is complete is not known, and it is not written \
         to: move it away, and the site sends the log again",
        data.display(),
        journal.display()
    )]
    NoJournal {
        /// The data file.
        data: PathBuf,
        /// Where its journal would be.
        journal: PathBuf,
        /// Length of the data file.
        bytes: u64,
    },
    /// A file stands where a journal should, and is none that this build can read.
    #[error("{} can't be read as a journal: {problem}; {advice}", journal.display())]
    NotAJournal {
        /// The file.
        journal: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// The data file has fewer bytes than were committed: somebody cut, replaced or deleted it.
    #[error(
        "{} has {} where {committed} bytes were committed: somebody shortened, replaced or deleted it. Put it back as it \
         was; or move it and its journal ({}) away, and the site sends what it still has",
        data.display(),
        has.map(|has| format!("{has} bytes")).unwrap_or_else(|| "no file".to_owned()),
        journal.display()
    )]
    Shortened {
        /// The data file.
        data: PathBuf,
        /// Its journal.
        journal: PathBuf,
        /// Length of the data file; none if there is no such file.
        has: Option<u64>,
        /// Length that was committed.
        committed: u64,
    },
    /// The store has no such log.
    #[error("the store {} has no log {key}: `fedtail ls` shows those that it has", store.display())]
    NoSuchLog {
        /// The store's directory.
        store: PathBuf,
        /// The log that was asked for.
        key: LogKey,
    },
    /// What came beside the bytes is more than one entry of the journal takes.
    #[error(
        "a position and gaps of {bytes} bytes are not recorded in {}: at most {limit} bytes are, and a real position has \
         some hundred",
        journal.display()
    )]
    TooLarge {
        /// The journal.
        journal: PathBuf,
        /// Length of the entry.
        bytes: usize,
        /// The most that an entry may have.
        limit: usize,
    },
    /// The operating system refused something.
    #[error("can't {action} {}: {source}{}", path.display(), advice(source))]
    Io {
        /// What was to be done, as in "can't _read_ PATH".
        action: &'static str,
        /// What it was to be done to.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

impl StoreError {
    /// Whether the cause is that there is no room, so that the same can succeed later.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

/// Why something was not committed. Nothing of it was: the store stands where it stood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// The stream was opened again since, so what still comes under the older opening is not taken.
    #[error("epoch {epoch} is over: the stream was opened again since, and is at epoch {current}")]
    Fenced {
        /// The epoch that was given.
        epoch: u64,
        /// The epoch of the newest opening; 0 if the log was never opened.
        current: u64,
    },
    /// The sender expects another length than the store has.
    #[error("these bytes go behind {got} received bytes, and the store has received {expected}")]
    Base {
        /// What the store has received.
        expected: u64,
        /// What the sender expects.
        got: u64,
    },
    /// The stream has ended under this very epoch; it goes on only after it was opened again.
    #[error("the stream has ended ({:?}: {:?}) and was not opened again since", end.kind(), end.reason)]
    Ended {
        /// How it ended.
        end: wire::RecordedEnd,
    },
    /// There is no room: no space on the device, a quota, or a limit of the file's size. The same batch may be committed
    /// later.
    #[error("there is no room for {}: {source}; what is stored is kept, and it goes on when there is room", path.display())]
    Full {
        /// The file that can't grow.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Anything else that is wrong with the log's files.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io { path, source, .. } if is_full(&source) => Self::Full { path, source },
            error => Self::Store(error),
        }
    }
}

/// Whether there was no room: the device, a quota, or a limit of one file's size.
fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// What to do about an error of the operating system, where that is known.
fn advice(error: &io::Error) -> &'static str {
    use io::ErrorKind::{AlreadyExists, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    match error.kind() {
        PermissionDenied => "; the user that runs fedtail must own the store",
        ReadOnlyFilesystem => "; give the server a store that it can write to",
        AlreadyExists | NotADirectory => "; a file is in the way where a directory should be",
        _ if is_full(error) => "; make room, nothing that is stored is lost",
        _ => "",
    }
}
