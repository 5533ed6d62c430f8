//! What a site's host knows of the files of one log: which file comes next, whether a file is the one that was read, and
//! what was lost.
//!
//! A log is written, rotated, cut and deleted by others while it is read. [`LogSource`] keeps to these rules:
//!
//! - A file is opened when it is first seen and held until the server has acknowledged its last byte, so that rotation can
//!   rename or delete it meanwhile. The directory is looked at until two looks agree, and a file counts once however many
//!   names it has.
//! - When a file has a successor, it is read to its end once more before the source goes on.
//! - A file is recognised by its text, not by its name or inode: a position carries a keyed hash of the file's head and of
//!   the bytes before the offset. Who finds both is in the same file.
//! - After each read the bytes before it are checked again, so that text which was cut and written anew is never taken for
//!   the continuation of what was read.
//! - The rest of a log that was copied and cut is looked for in the copy.
//! - What was read stays in memory until it is acknowledged, since its file may be cut before.
//! - Whatever could not be read is told as a gap, with the file's name.
//!
//! Not told apart, by anyone: two files that are alike up to the position, such as two runs of which only the same banner
//! was read; text that was cut and then written again exactly alike between two looks; a file that
//! appeared and was deleted while nobody looked. A writer that does not append (`O_APPEND`) leaves a run of NUL bytes when
//! its file is cut; they are bytes of the log like others. Lines written to a file that was rotated away, after its
//! successor was begun, come too late for their place and are told as a gap.
//!
//! Which names belong to a log stands at [`LogSource`].

mod anchor;
mod buffers;
mod cut;
mod directory;
mod error;
mod gap;
mod held;
mod hole;
mod log;
mod look;
mod memory;
mod resume;
mod siblings;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod watch;

pub use anchor::AnchorKey;
pub use directory::{Directory, Entry, RealDirectory, SourceFile, Stat};
pub use error::SourceError;
pub use log::LogSource;
pub use watch::{Subscription, WatchError, Watcher};

use crate::wire;

/// A file that a source has handed out. Valid until the next [`LogSource::resume`], or until it was acknowledged and the
/// source went on; never used again for another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileRef(u32);

/// What comes next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Nothing yet: the log has not appeared, or this is still the live file. A file without a byte in it does not count,
    /// since a file is entered with its first byte.
    NoneYet,
    /// There is a successor, and this file has bytes that were not read: read it to its end, then ask again.
    Unread,
    /// Go on with this one.
    Found(Found),
}

/// A file to go on with.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The file. It can be the one that was asked about, where bytes were lost in its middle.
    pub file: FileRef,
    /// Where to go on in it.
    pub offset: u64,
    /// What was lost on the way to it, in words that name the file and say what happened.
    pub gap: Option<wire::Gap>,
}
