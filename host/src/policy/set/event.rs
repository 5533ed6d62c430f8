//! What happens to policies, for the person who looks after them, the program that embeds the host, and the audit.

use std::fmt;
use std::time::Duration;

use tracing::{error, info};

use crate::policy::component::Digest;

/// What happened to a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyEvent {
    /// Policies were read, checked and taken; streams go over to them one by one.
    Loaded {
        /// Each as its file's name and digest.
        policies: Vec<(String, Digest)>,
    },
    /// What was read is not taken, and what was in use stays in use.
    Refused {
        /// Stage, file, reason, what to do.
        reason: String,
    },
    /// A stream went over to another policy.
    Swapped {
        /// Job and log; at a server job, site and log.
        stream: String,
        /// The one before.
        from: Digest,
        /// The one now.
        to: Digest,
        /// For how long no policy was stepped.
        pause: Duration,
    },
    /// A stream stays with its policy, since the other one did not begin well.
    NotSwapped {
        /// See `Swapped`.
        stream: String,
        /// The one that stays.
        from: Digest,
        /// The one that failed.
        to: Digest,
        /// How it failed.
        reason: String,
    },
    /// A stream's policy failed again and again, and an earlier one takes its place.
    RolledBack {
        /// See `Swapped`.
        stream: String,
        /// The one that failed.
        from: Digest,
        /// The one now.
        to: Digest,
        /// How it failed.
        reason: String,
    },
    /// A stream's policy failed again and again, and nothing takes its place.
    Closed {
        /// See `Swapped`.
        stream: String,
        /// The one that failed.
        policy: Digest,
        /// How it failed, or why the stream has none.
        reason: String,
    },
}

impl PolicyEvent {
    /// Writes it to the program's log.
    pub fn log(&self) {
        match self {
            Self::Loaded { .. } | Self::Swapped { .. } => info!("{self}"),
            _ => error!("{self}"),
        }
    }
}

impl fmt::Display for PolicyEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Loaded { policies } => {
                f.write_str("policies are loaded:")?;
                policies.iter().try_for_each(|(file, digest)| write!(f, " {file} ({digest})"))
            }
            Self::Refused { reason } => write!(f, "{reason}; the policies before it stay in use"),
            Self::Swapped { stream, from, to, pause } => {
                write!(f, "{stream}: policy {to} takes over from {from}, after {pause:?}")
            }
            Self::NotSwapped { stream, from, to, reason } => {
                write!(f, "{stream}: policy {to} does not take over, and {from} goes on: {reason}")
            }
            Self::RolledBack { stream, from, to, reason } => {
                write!(f, "{stream}: back to policy {to}, since {from} failed again and again: {reason}")
            }
            Self::Closed { stream, policy, reason } => write!(f, "{stream}: closed under policy {policy}: {reason}"),
        }
    }
}
