//! How a stream ended, for the site.

use std::fmt;

use crate::wire;

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of the log is in the server's store.
    Complete,
    /// The end is stored, and bytes were lost at the source; see [`Outcome::gaps`].
    Incomplete,
    /// The server does not take the stream, or this site does not trust the server; nothing more is sent.
    Refused,
    /// Another host streams the same log now.
    Superseded,
    /// It was given up before its end.
    Aborted,
    /// The policy failed again and again.
    Failed,
    /// The time for finishing was over before the server had stored everything. What it has stays there.
    TimedOut,
}

/// How a stream ended, and what is at the server.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// How.
    pub ending: Ending,
    /// Why, in words for the site's operator; empty where there is nothing to say.
    pub reason: String,
    /// Bytes of the log in the server's store, as far as this side was told.
    pub stored: u64,
    /// What was lost at the source, over the log's whole life.
    pub gaps: Vec<wire::Gap>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match self.ending {
            Ending::Complete => "complete",
            Ending::Incomplete => "incomplete",
            Ending::Refused => "refused",
            Ending::Superseded => "superseded",
            Ending::Aborted => "aborted",
            Ending::Failed => "failed",
            Ending::TimedOut => "timed out",
        };
        write!(f, "{ending}, {} bytes at the server", self.stored)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        for gap in &self.gaps {
            write!(f, "; {gap}")?;
        }
        Ok(())
    }
}

/// "17 bytes lost (truncated): words"
impl fmt::Display for wire::Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lost {
            Some(bytes) => write!(f, "{bytes} bytes lost")?,
            None => f.write_str("an unknown number of bytes lost")?,
        }
        write!(f, " at byte {} (", self.at)?;
        f.write_str(match self.reason() {
            wire::GapReason::Truncated => "truncated",
            wire::GapReason::Deleted => "deleted",
            wire::GapReason::Ambiguous => "ambiguous",
            wire::GapReason::Unproven => "unproven",
            wire::GapReason::Late => "late",
            wire::GapReason::Unspecified => "other",
        })?;
        f.write_str(")")?;
        if !self.words.is_empty() {
            write!(f, ": {}", self.words)?;
        }
        Ok(())
    }
}
