//! The default streamer policy: it lets a job's log leave the site as it is, as soon as it is written.
//!
//! It is the trivial case of what policies are written with: the state machine in [`mod@streamer`], and nothing around it.

#![deny(missing_docs, unsafe_code)]

pub use fedtail_policy_sdk::{host, streamer};

#[cfg(all(target_arch = "wasm32", not(test)))]
mod component {
    use fedtail_policy_sdk::Everything;
    use fedtail_policy_sdk::component::streamer::Site;

    fedtail_policy_sdk::streamer!(step Everything<Site>);
}

#[cfg(test)]
mod tests {
    use fedtail_policy_sdk::streamer::{Next, Settings, Wake};
    use fedtail_policy_sdk::testing::Log;
    use fedtail_policy_sdk::{Everything, Policy};

    fn settings(once: bool) -> Settings {
        Settings { poll_interval: 1_000, max_chunk_size: 4, once, custom: Vec::new() }
    }

    #[test]
    fn a_log_leaves_as_it_is() {
        let log = Log::new("one\nÿtwo", 1 << 10, 0);
        let mut policy = Everything::start(log.clone(), settings(true)).unwrap();
        assert_eq!(policy.step(Wake::Connected), Ok(Next::Finished));
        let sent: Vec<u8> = log.sent().into_iter().flat_map(|(bytes, _)| bytes).collect();
        assert_eq!(sent, "one\nÿtwo".as_bytes());
    }

    #[test]
    fn it_follows_a_log_until_the_job_ends() {
        let log = Log::new("one\n", 1 << 10, 0);
        let mut policy = Everything::start(log.clone(), settings(false)).unwrap();
        assert_eq!(policy.step(Wake::Connected), Ok(Next::Wait(1_000)));
        log.write("two\n");
        assert_eq!(policy.step(Wake::Changed), Ok(Next::Wait(1_000)));
        assert_eq!(policy.step(Wake::Stop), Ok(Next::Wait(1_000)));
        log.write("bye\n");
        log.at(1_000);
        assert_eq!(policy.step(Wake::Timer), Ok(Next::Finished));
        let ends: Vec<u64> = log.sent().into_iter().map(|(_, reached)| reached).collect();
        assert_eq!(ends, [4, 8, 12]);
    }
}
