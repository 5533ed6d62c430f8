//! A streamer policy that lets so many bytes a second leave the site, with bursts: for a site whose link is needed for the
//! training itself. Nothing is dropped; what does not leave now leaves later.
//!
//! | setting | what it does |
//! | --- | --- |
//! | `bytes-per-second = 100000` | what leaves in the long run; needed |
//! | `burst = 1000000` | what may leave at once after a quiet time; by default what leaves in ten seconds |
//!
//! A rotated file that waits is held open by the host, as many as it holds for any stream. At the end of a job the rest
//! leaves at the same rate: give `--finish-timeout` the time for it.
//!
//! This is an example of a policy that uses the whole state machine, with a host between: `Throttle` narrows the window.

#![deny(missing_docs, unsafe_code)]

use fedtail_policy_sdk::host::{Host, Nanos};
use fedtail_policy_sdk::streamer::{Next, Settings, Streamer, Wake};
use fedtail_policy_sdk::{Custom, Policy};

mod bucket;
mod throttle;

use bucket::Bucket;
use throttle::Throttle;

/// The policy.
pub struct Rate<H: Host> {
    streamer: Streamer<Throttle<H>>,
    throttle: Throttle<H>,
}

impl<H: Host> Policy<H> for Rate<H> {
    fn start(mut host: H, settings: Settings) -> Result<Self, String> {
        let mut custom = Custom::new(settings.custom);
        let rate = custom.parsed::<u64>("bytes-per-second", "a number of bytes")?;
        let rate = rate.filter(|rate| *rate > 0).ok_or("set `bytes-per-second` to what may leave the site, above 0")?;
        let burst = custom.parsed::<u64>("burst", "a number of bytes")?.unwrap_or(rate.saturating_mul(10));
        custom.done()?;
        let streamer = Streamer::start(Settings { custom: Vec::new(), ..settings })?;
        let bucket = Bucket::full(rate, burst.max(1), host.now());
        Ok(Self { streamer, throttle: Throttle { host, bucket, waits: false } })
    }

    fn step(&mut self, wake: Wake) -> Result<Next, String> {
        self.throttle.waits = false;
        let next = self.streamer.step(&mut self.throttle, wake)?;
        Ok(match next {
            // The host's window is open, so the host owes no wake: the clock has to.
            Next::Wait(at) if self.throttle.waits => Next::Wait(at.min(self.throttle.bucket.ready_at())),
            next => next,
        })
    }
}

/// An instant or a time, a second long.
const SECOND: Nanos = 1_000_000_000;

#[cfg(all(target_arch = "wasm32", not(test)))]
mod component {
    use fedtail_policy_sdk::component::streamer::Site;

    fedtail_policy_sdk::streamer!(step super::Rate<Site>);
}

#[cfg(test)]
mod tests {
    use fedtail_policy_sdk::testing::Log;

    use super::*;

    fn settings(custom: &[(&str, &str)]) -> Settings {
        let custom = custom.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Settings { poll_interval: 10 * SECOND, max_chunk_size: 1 << 10, once: true, custom }
    }

    #[test]
    fn after_the_burst_bytes_leave_at_the_rate_and_all_of_them_do() {
        let log = Log::new(vec![b'x'; 1000], 1 << 10, 0);
        let mut rate = Rate::start(log.clone(), settings(&[("bytes-per-second", "100"), ("burst", "200")])).unwrap();
        let sent = || log.sent().iter().map(|(bytes, _)| bytes.len() as u64).sum::<u64>();
        let (mut now, mut wake) = (0, Wake::Connected);
        loop {
            let next = rate.step(wake).unwrap();
            assert!(sent() <= 200 + now * 100 / SECOND, "{} bytes left in {now} ns", sent());
            match next {
                Next::Finished => break,
                Next::Wait(at) => {
                    assert!(at > now, "it waits for the clock, and does not turn");
                    now = at;
                    log.at(now);
                    wake = Wake::Timer;
                }
            }
        }
        assert_eq!(sent(), 1000);
        assert!((7 * SECOND..=9 * SECOND).contains(&now), "800 bytes took {now} ns");
    }

    #[test]
    fn a_rate_is_needed_and_has_to_be_a_number() {
        let refused = |custom: &[_]| Rate::start(Log::new("", 1, 0), settings(custom)).err().unwrap();
        assert!(refused(&[]).contains("set `bytes-per-second`"));
        assert!(refused(&[("bytes-per-second", "0")]).contains("above 0"));
        assert!(refused(&[("bytes-per-second", "1M")]).contains("\"1M\", and has to be a number"));
        assert!(refused(&[("bytes-per-second", "1"), ("brust", "1")]).contains("no setting `brust`"));
    }
}
