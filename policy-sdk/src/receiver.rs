//! Receiver policies: at the server, what is accepted and what becomes of it.
//!
//! The default receiver is [`Receiver`] around a [`Gate`] that takes everything. It agrees the times, closes idle streams
//! and says what becomes of a log; the gate decides about streams and bytes.

mod duration;
mod gate;
mod host;

pub use duration::in_words;
pub use gate::{Disposition, Ending, Next, Receiver, Refusal, Take, Wake};
pub use host::{Level, Nanos, Store, Usage};

use crate::Custom;

/// Who opens a stream: from the verified peer, then what it says of itself; see `receiving.caller` of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The site, as its connection's identity says.
    pub site: String,
    /// The job.
    pub job: String,
    /// The log.
    pub log: String,
    /// How often the site will be heard at least.
    pub liveness_interval: Nanos,
    /// Digest of the policy that the site says it runs.
    pub policy_digest: String,
    /// Bytes stored of this log.
    pub stored: u64,
    /// The idle timeout that the server is configured with.
    pub idle_timeout: Nanos,
    /// The server's own settings for this policy.
    pub custom: Custom,
}

/// Decides which streams and which bytes the server takes. One value serves one stream.
pub trait Gate: Sized {
    /// Takes the server's settings, and the stream or not. A setting that is not taken is refused by name.
    fn accept<S: Store>(store: &mut S, caller: &Caller, custom: &mut Custom) -> Result<Self, Refusal>;

    /// Decides about the next bytes of the stream, so many of them.
    fn take<S: Store>(&mut self, store: &mut S, length: u64) -> Take;
}

/// The default: everything is taken.
#[derive(Debug)]
pub struct TakesAll;

impl Gate for TakesAll {
    fn accept<S: Store>(_store: &mut S, _caller: &Caller, _custom: &mut Custom) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn take<S: Store>(&mut self, _store: &mut S, _length: u64) -> Take {
        Take::Store
    }
}
