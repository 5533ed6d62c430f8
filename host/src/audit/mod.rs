//! What left a site: an append-only file of JSON lines, each chained to the one before with SHA-256.
//!
//! Each line is an [`Entry`]: its number, its time, the hash of the line before, what happened, and its own hash, which is
//! the SHA-256 of the line's bytes up to `,"hash":`. A line that was changed, taken out, put in or moved breaks the chain
//! there; [`verify`] says which is the first. What a chain can't show is that its last lines are missing, or that all of it
//! was made anew by somebody who can write the file: for that, note the hash of the last line elsewhere now and then, and
//! look whether it is still in the chain.
//!
//! Bytes are told as ranges, counted over the log's whole life: one entry for each run of bytes under one policy, at least
//! every [`EVERY`] while bytes flow. Bytes that were sent and whose acknowledgement never came are told as such; they are
//! sent again, so their range appears again. If this process is killed, the runs that were not written yet are missing:
//! the next `opened` entry then says how many bytes the server has taken, and what lies between that and the last range
//! went out under the policy of the entries before.
//!
//! A line that was torn by a crash stays as it is. The next process ends it with a line feed and chains a `repaired` entry
//! to the last whole line, with the digest of the torn bytes. Nothing is ever taken out of the file, so it can have the
//! append-only attribute of its file system.

mod chain;
mod entry;
mod file;
mod verify;
mod writer;

use std::path::PathBuf;

pub use self::entry::{Entry, Source};
pub use self::verify::{Verified, verify};
pub use self::writer::{Audit, EVERY, Run};

#[cfg(test)]
mod tests;

/// Why an audit file can't be used, or does not hold.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The file system refuses it.
    #[error("the audit file {file} cannot be {action}: {reason}")]
    Io {
        /// Which file.
        file: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        reason: std::io::Error,
    },
    /// Another process writes it.
    #[error("the audit file {file} is in use by another process; give each process a file of its own")]
    Locked {
        /// Which file.
        file: PathBuf,
    },
    /// Its last line is not one that this program wrote.
    #[error(
        "the audit file {file} does not end with a line that can be gone on from: {reason}; look at it with `fedtail audit \
         verify`, move it away, and a new one is begun"
    )]
    NoEnd {
        /// Which file.
        file: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The chain is broken.
    #[error("the audit file {file} is broken at line {line}: {reason}")]
    Broken {
        /// Which file.
        file: PathBuf,
        /// The first line that does not hold, counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}
