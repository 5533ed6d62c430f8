//! Who looks after a stream's policy from outside: the site's set of policies and its audit.

use super::core::Core;
use super::outcome::Outcome;
use crate::policy::set::{Assigned, PolicyEvent};
use crate::policy::{Digest, Fault, StreamerPolicy};

/// A policy of this site, ready for a stream.
pub type SitePolicy = Assigned<StreamerPolicy<Core>>;

/// Bytes of one log that left the site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// Counted in bytes sent over the log's whole life: the first, and the one behind the last.
    pub from: u64,
    /// See `from`.
    pub to: u64,
    /// Where in the source that is, if it is known: device, inode, and the offset that was reached.
    pub reached: Option<(u64, u64, u64)>,
    /// Whether the server has acknowledged them. What it has not may have arrived, and is sent again.
    pub acknowledged: bool,
    /// The policy that let them out.
    pub policy: Digest,
}

/// What a stream's driver tells of its policy, and asks about it. Called from the stream's turns: it must not wait.
pub trait Guardian: Send + Sync {
    /// The server opened the stream, and has taken so many bytes of it.
    fn opened(&self, received: u64, policy: Digest);
    /// Bytes left the site.
    fn passed(&self, passed: Passed);
    /// The policy has had bytes acknowledged.
    fn is_good(&self, policy: &SitePolicy);
    /// What takes the place of a policy that failed again and again; these digests have failed.
    fn instead_of(&self, policy: &SitePolicy, failed: &[Digest]) -> Option<SitePolicy>;
    /// An instance failed, and another one is started from what the server has.
    fn struck(&self, _fault: &Fault) {}
    /// Something happened to the policy.
    fn happened(&self, event: PolicyEvent);
    /// The stream is over.
    fn ended(&self, outcome: &Outcome);
}

/// For a stream whose policy never changes.
pub struct Nobody;

impl Guardian for Nobody {
    fn opened(&self, _received: u64, _policy: Digest) {}

    fn passed(&self, _passed: Passed) {}

    fn is_good(&self, _policy: &SitePolicy) {}

    fn instead_of(&self, _policy: &SitePolicy, _failed: &[Digest]) -> Option<SitePolicy> {
        None
    }

    fn happened(&self, _event: PolicyEvent) {}

    fn ended(&self, _outcome: &Outcome) {}
}
