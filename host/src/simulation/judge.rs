//! What a run is held to: every byte, or what the policy that is tried promises.

use super::ledger::Ledger;
use super::lines::Lines;
use super::oracle::Oracle;

/// Judges one log.
pub(super) enum Judge {
    /// No policy changes anything.
    Bytes(Oracle),
    /// A policy does.
    Lines(Lines),
}

impl Judge {
    /// What holds for both.
    pub fn ledger(&mut self) -> &mut Ledger {
        match self {
            Self::Bytes(oracle) => &mut oracle.ledger,
            Self::Lines(lines) => &mut lines.ledger,
        }
    }

    /// The site sends these bytes of its stream.
    pub fn sent(&mut self, base: u64, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Bytes(oracle) => oracle.ledger.sent(base, bytes),
            Self::Lines(lines) => lines.sent(base, bytes),
        }
    }
}
