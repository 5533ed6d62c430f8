//! What an entry says.

use serde::{Deserialize, Serialize};

/// What happened. Times are of the site's wall clock, digests as `sha256:` and hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case", rename_all_fields = "kebab-case")]
pub enum Entry {
    /// A process goes on with this file.
    Started {
        /// Program and version.
        software: String,
    },
    /// The line before was torn.
    Repaired {
        /// The torn bytes.
        torn_bytes: u64,
        /// Their SHA-256, in hexadecimal digits.
        torn_sha256: String,
    },
    /// Entries could not be written and are missing.
    Unrecorded {
        /// How many.
        entries: u64,
    },
    /// A stream was opened.
    Opened {
        /// Job and log.
        log: String,
        /// How many bytes of the log the server has taken before.
        received: u64,
        /// The policy that it begins under.
        policy: String,
    },
    /// Bytes of a log left the site.
    Sent {
        /// Job and log.
        log: String,
        /// The first byte, counted over all that was ever sent of the log.
        from: u64,
        /// The byte behind the last one.
        to: u64,
        /// The policy that let them out.
        policy: String,
        /// Whether the server has acknowledged them.
        acknowledged: bool,
        /// When the first of them was.
        since: String,
        /// The file that they reach into, and its offset there, where known.
        #[serde(skip_serializing_if = "Option::is_none")]
        source: Option<Source>,
    },
    /// A stream ended.
    Ended {
        /// Job and log.
        log: String,
        /// How, in words.
        outcome: String,
    },
    /// Policies were read and taken.
    Loaded {
        /// Each as its file's name and digest.
        policies: Vec<(String, String)>,
    },
    /// Policies were read and not taken.
    Refused {
        /// Why.
        reason: String,
    },
    /// A stream went over to another policy.
    Swapped {
        /// Job and log.
        log: String,
        /// The policy before.
        from: String,
        /// The policy now.
        to: String,
    },
    /// A stream stays with its policy.
    NotSwapped {
        /// Job and log.
        log: String,
        /// The policy that stays.
        from: String,
        /// The policy that did not begin well.
        to: String,
        /// How it failed.
        reason: String,
    },
    /// An earlier policy takes the place of one that failed again and again.
    RolledBack {
        /// Job and log.
        log: String,
        /// The policy that failed.
        from: String,
        /// The policy now.
        to: String,
        /// How it failed.
        reason: String,
    },
    /// A stream was closed for want of a policy.
    Closed {
        /// Job and log.
        log: String,
        /// The policy before.
        policy: String,
        /// Why.
        reason: String,
    },
}

/// Where in the source a range ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file's device.
    pub device: u64,
    /// The file's inode.
    pub inode: u64,
    /// All before this offset was read.
    pub offset: u64,
}
