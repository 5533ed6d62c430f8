//! Pauses between attempts.

use std::hash::Hasher;
use std::time::Duration;

use siphasher::sip::SipHasher13;

/// The first pause.
const FIRST: Duration = Duration::from_millis(100);
/// The longest: an operator who has just repaired the server waits so long at most.
const LONGEST: Duration = Duration::from_secs(5);

/// Doubling pauses with a part that differs between sites, so that many don't come back at the same moment.
#[derive(Debug, Clone)]
pub struct Backoff {
    seed: u64,
    attempts: u32,
    drawn: u64,
}

impl Backoff {
    /// Pauses that depend on the seed alone, so that a simulated run can be repeated.
    pub fn new(seed: &[u8]) -> Self {
        let mut hasher = SipHasher13::new();
        hasher.write(seed);
        Self { seed: hasher.finish(), attempts: 0, drawn: 0 }
    }

    /// Begins with the shortest pause again.
    pub fn reset(&mut self) {
        self.attempts = 0;
    }

    /// The next pause, in nanoseconds: between half and all of a time that doubles up to [`LONGEST`].
    pub fn next(&mut self) -> u64 {
        let full = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts += 1;
        self.drawn += 1;
        let mut hasher = SipHasher13::new_with_keys(self.seed, self.drawn);
        hasher.write_u8(0);
        let half = u64::try_from(full.as_nanos() / 2).unwrap_or(u64::MAX);
        half + hasher.finish() % (half + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_stay_there() {
        let mut backoff = Backoff::new(b"site");
        let pauses: Vec<_> = (0..20).map(|_| Duration::from_nanos(backoff.next())).collect();
        assert!(pauses[0] >= FIRST / 2 && pauses[0] <= FIRST);
        assert!(pauses[10..].iter().all(|pause| *pause >= LONGEST / 2 && *pause <= LONGEST));
        backoff.reset();
        assert!(backoff.next() <= 100_000_000);
    }

    #[test]
    fn two_sites_pause_differently() {
        assert_ne!(Backoff::new(b"a").next(), Backoff::new(b"b").next());
    }
}
