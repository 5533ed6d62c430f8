//! A token bucket: what may leave now.

use fedtail_policy_sdk::host::Nanos;

use crate::SECOND;

/// Bytes that may leave, refilled at a rate up to a burst.
#[derive(Debug)]
pub struct Bucket {
    rate: u64,
    burst: u64,
    bytes: u64,
    /// Up to when the bytes are counted.
    counted: Nanos,
}

impl Bucket {
    /// A full one. Neither number is 0.
    pub fn full(rate: u64, burst: u64, now: Nanos) -> Self {
        Self { rate, burst, bytes: burst, counted: now }
    }

    /// What may leave now: nothing until it is worth a range, so that small pieces of a second don't make small ranges.
    pub fn ready(&mut self, now: Nanos) -> u64 {
        let since = now.saturating_sub(self.counted);
        let new = u128::from(since) * u128::from(self.rate) / u128::from(SECOND);
        let new = u64::try_from(new).unwrap_or(u64::MAX);
        if new > 0 {
            self.bytes = self.bytes.saturating_add(new).min(self.burst);
            // Only the time that whole bytes took: the rest of it counts the next time.
            let took = u128::from(new) * u128::from(SECOND) / u128::from(self.rate);
            self.counted = self.counted.saturating_add(u64::try_from(took).unwrap_or(u64::MAX));
        }
        if self.bytes < self.worth() { 0 } else { self.bytes }
    }

    /// Takes bytes out.
    pub fn take(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// When the next bytes may leave.
    pub fn ready_at(&self) -> Nanos {
        let missing = u128::from(self.worth().saturating_sub(self.bytes));
        let time = (missing * u128::from(SECOND)).div_ceil(u128::from(self.rate));
        self.counted.saturating_add(u64::try_from(time).unwrap_or(u64::MAX))
    }

    /// What a tenth of a second brings.
    fn worth(&self) -> u64 {
        (self.rate / 10).clamp(1, self.burst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_refills_at_its_rate_up_to_the_burst() {
        let mut bucket = Bucket::full(10, 30, 0);
        assert_eq!(bucket.ready(0), 30);
        bucket.take(30);
        assert_eq!((bucket.ready(0), bucket.ready_at()), (0, SECOND / 10));
        assert_eq!(bucket.ready(SECOND / 10), 1);
        assert_eq!(bucket.ready(2 * SECOND), 20);
        assert_eq!(bucket.ready(100 * SECOND), 30);
    }

    #[test]
    fn small_looks_lose_no_time() {
        let mut bucket = Bucket::full(3, 100, 0);
        bucket.take(100);
        for tenth in 1..=100 {
            bucket.ready(tenth * SECOND / 10);
        }
        assert_eq!(bucket.ready(10 * SECOND), 30);
    }
}
