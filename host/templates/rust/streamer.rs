//! A streamer policy that lets a log leave some time after its stream began, so that somebody at the site can still stop
//! it.
//!
//! | setting | what it does |
//! | --- | --- |
//! | `delay-seconds = 60` | how long nothing leaves; needed |
//!
//! It has the whole interface in its hands: the host wakes it, it does what can be done now, and returns what it waits for.
//! The state machine of the default policy does the reading and sending.

use fedtail_policy_sdk::host::{Host, Nanos};
use fedtail_policy_sdk::streamer::{Next, Settings, Streamer, Wake};
use fedtail_policy_sdk::{Custom, Policy};

const SECOND: Nanos = 1_000_000_000;

/// The policy. One value serves one log.
pub struct Delay<H: Host> {
    host: H,
    streamer: Streamer<H>,
    opens_at: Nanos,
    /// Wakes that the streamer has not been told of: each says something that comes once.
    connected: bool,
    stopped: bool,
}

impl<H: Host> Policy<H> for Delay<H> {
    fn start(mut host: H, settings: Settings) -> Result<Self, String> {
        let mut custom = Custom::new(settings.custom);
        let delay = custom.parsed::<u64>("delay-seconds", "a number of seconds")?;
        let delay = delay.ok_or("set `delay-seconds` to how long nothing leaves the site")?;
        // What is left is refused: somebody may rely on it.
        custom.done()?;
        let streamer = Streamer::start(Settings { custom: Vec::new(), ..settings })?;
        let opens_at = host.now().saturating_add(delay.saturating_mul(SECOND));
        Ok(Self { host, streamer, opens_at, connected: false, stopped: false })
    }

    fn step(&mut self, wake: Wake) -> Result<Next, String> {
        if self.host.now() < self.opens_at {
            self.connected |= wake == Wake::Connected;
            self.stopped |= wake == Wake::Stop;
            return Ok(Next::Wait(self.opens_at));
        }
        // In this order: the end of the job never comes before the server is there.
        if std::mem::take(&mut self.connected) {
            self.streamer.step(&mut self.host, Wake::Connected)?;
        }
        if std::mem::take(&mut self.stopped) {
            self.streamer.step(&mut self.host, Wake::Stop)?;
        }
        self.streamer.step(&mut self.host, wake)
    }
}

#[cfg(all(target_arch = "wasm32", not(test)))]
mod component {
    use fedtail_policy_sdk::component::streamer::Site;

    fedtail_policy_sdk::streamer!(step super::Delay<Site>);
}

#[cfg(test)]
mod tests {
    // A log in memory, with a clock that the test owns.
    use fedtail_policy_sdk::testing::Log;

    use super::*;

    fn settings(custom: &[(&str, &str)]) -> Settings {
        let custom =
            custom.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        Settings { poll_interval: SECOND, max_chunk_size: 1 << 10, once: true, custom }
    }

    #[test]
    fn nothing_leaves_before_its_time_and_then_all_of_it() {
        let log = Log::new("a line\n", 1 << 10, 0);
        let mut delay = Delay::start(log.clone(), settings(&[("delay-seconds", "60")])).unwrap();
        assert_eq!(delay.step(Wake::Connected), Ok(Next::Wait(60 * SECOND)));
        log.at(59 * SECOND);
        assert_eq!(delay.step(Wake::Stop), Ok(Next::Wait(60 * SECOND)));
        assert_eq!(log.sent(), []);
        log.at(60 * SECOND);
        assert_eq!(delay.step(Wake::Timer), Ok(Next::Finished));
        assert_eq!(log.sent(), [(b"a line\n".to_vec(), 7)]);
    }

    #[test]
    fn the_delay_is_needed_and_has_to_be_a_number() {
        let refused =
            |custom: &[_]| Delay::start(Log::new("", 1, 0), settings(custom)).err().unwrap();
        assert!(refused(&[]).contains("set `delay-seconds`"));
        assert!(refused(&[("delay-seconds", "1 min")]).contains("has to be a number of seconds"));
        assert!(refused(&[("delay-seconds", "1"), ("delay", "1")]).contains("no setting `delay`"));
    }
}
