//! What a job does with its log, and how its log looks.

use std::fmt;

use super::job::LOG;

/// How the job rotates by renaming.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// `.1` is the oldest: each rotation takes the next number.
    Upwards,
    /// `.1` is the newest: each rotation renames all. So many are kept, the next is deleted.
    Shifting(u64),
    /// Each rotation takes the date.
    Dated,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Writes about so many bytes.
    Write(u64),
    /// Renames the log and begins a new one.
    Rotate,
    /// Writes so many bytes, renames the log, and writes as many into the new one.
    WriteAndRotate(u64),
    /// Compresses the oldest rotated file, which is then gone as text.
    Compress,
    /// Deletes the oldest rotated file.
    Delete,
    /// Copies the log, writes so many bytes more, and cuts it.
    CopyAndCut(u64),
    /// Copies a part of the log only; the copy is finished with [`Act::FinishCopy`].
    BeginCopy,
    /// See [`Act::BeginCopy`].
    FinishCopy,
    /// Cuts the log and writes until it is longer than it was.
    CutAndGrow,
    /// Cuts the log and writes a little.
    Cut(u64),
    /// Deletes the log and makes an unrelated file of its name.
    Replace(u64),
}

impl Act {
    /// What is easier to understand and rotates in the same way.
    pub fn simpler(self) -> Option<Self> {
        match self {
            Act::WriteAndRotate(_) | Act::Compress | Act::Delete | Act::Replace(_) => Some(Act::Rotate),
            Act::CopyAndCut(1..) | Act::BeginCopy | Act::FinishCopy => Some(Act::CopyAndCut(0)),
            Act::CutAndGrow | Act::Cut(1..) => Some(Act::Cut(0)),
            Act::Write(_) | Act::Rotate | Act::CopyAndCut(0) | Act::Cut(0) => None,
        }
    }

    /// How reports count it.
    pub fn kind(self) -> &'static str {
        match self {
            Act::Write(_) => "writes",
            Act::Rotate | Act::WriteAndRotate(_) => "rotations by renaming",
            Act::Compress => "rotated files compressed",
            Act::Delete => "rotated files deleted",
            Act::CopyAndCut(_) => "copies and cuts",
            Act::BeginCopy => "copies that take time",
            Act::FinishCopy => "copies finished and cut",
            Act::CutAndGrow => "cuts, grown beyond the old length",
            Act::Cut(_) => "cuts",
            Act::Replace(_) => "replacements by another file",
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Act::Write(length) => write!(f, "writes some {length} bytes"),
            Act::Rotate => f.write_str("rotates its log by renaming it"),
            Act::WriteAndRotate(length) => {
                write!(f, "writes some {length} bytes, rotates its log by renaming it, and writes as much again")
            }
            Act::Compress => f.write_str("compresses its oldest rotated file"),
            Act::Delete => f.write_str("deletes its oldest rotated file"),
            Act::CopyAndCut(0) => f.write_str("rotates its log by copying it and cutting it to nothing"),
            Act::CopyAndCut(length) => {
                write!(f, "copies its log, writes some {length} bytes more, and cuts it to nothing")
            }
            Act::BeginCopy => f.write_str("begins to copy its log"),
            Act::FinishCopy => f.write_str("finishes the copy of its log, and cuts the log to nothing"),
            Act::CutAndGrow => f.write_str("cuts its log to nothing, and writes more than was in it"),
            Act::Cut(length) => write!(f, "cuts its log to nothing, and writes some {length} bytes"),
            Act::Replace(length) => {
                write!(f, "deletes its log, and writes some {length} bytes into a new file of that name")
            }
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scheme::Upwards => write!(f, "{LOG}.1 is the oldest rotated file"),
            Scheme::Shifting(keep) if *keep < 100 => {
                write!(f, "{LOG}.1 is the newest rotated file, and {keep} are kept")
            }
            Scheme::Shifting(_) => write!(f, "{LOG}.1 is the newest rotated file"),
            Scheme::Dated => f.write_str("rotated files are named by their date"),
        }
    }
}

/// What the text looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// Numbered lines.
    Lines,
    /// Lines that are all the same.
    Equal,
    /// No line feed at all.
    OneLine,
    /// Bytes of every value, also 0.
    Binary,
    /// What a job writes that trains, with what policies look for. Some writes end within a line.
    Records,
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Text::Lines => "numbered lines",
            Text::Equal => "lines that are all the same",
            Text::OneLine => "one line without an end",
            Text::Binary => "bytes of every value",
            Text::Records => "records of a job that trains",
        })
    }
}
