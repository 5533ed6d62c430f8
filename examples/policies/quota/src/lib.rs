//! A receiver policy that takes so many bytes and logs of each site and job.
//!
//! | setting | what it does |
//! | --- | --- |
//! | `bytes = 1000000000` | what the server stores of one site and job, all its logs together |
//! | `logs = 8` | how many logs of one site and job it takes |
//!
//! At least one of them is needed. A stream that finds the quota used up is refused in words; one that uses it up while it
//! runs is ended with the bytes that did so, and refused when the site opens it again. What is stored stays, so a quota
//! that is raised lets the stream go on where it was. Several streams of one site at the same time can overrun the quota
//! by what each of them brings between two looks: 256 KiB.

#![deny(missing_docs, unsafe_code)]

use fedtail_policy_sdk::Custom;
use fedtail_policy_sdk::receiver::{Caller, Gate, Refusal, Store, Take};

/// How much a stream takes before it looks again what the others have: a look reads their journals.
const LOOK: u64 = 256 << 10;

/// The policy.
#[derive(Debug)]
struct Quota {
    /// Bytes of the site and job.
    bytes: u64,
    site: String,
    job: String,
    /// Bytes of the other logs, when it was looked last.
    others: u64,
    /// Bytes of this log.
    stored: u64,
    /// Bytes since the last look.
    since: u64,
}

impl Quota {
    fn is_used_up(&self) -> bool {
        self.others.saturating_add(self.stored) >= self.bytes
    }

    fn words(&self) -> String {
        format!(
            "the quota of {} bytes for site {} and job {} is used up; ask the server's operator for more",
            self.bytes, self.site, self.job
        )
    }
}

impl Gate for Quota {
    fn accept<S: Store>(store: &mut S, caller: &Caller, custom: &mut Custom) -> Result<Self, Refusal> {
        let mut setting = |key| {
            let found = custom.parsed::<u64>(key, "a number").map_err(Refusal::Never)?;
            Ok::<_, Refusal>(found)
        };
        let (bytes, logs) = (setting("bytes")?, setting("logs")?);
        if bytes.is_none() && logs.is_none() {
            let words = "the server's quota is set up without `bytes` and `logs`; tell its operator";
            return Err(Refusal::Never(words.into()));
        }
        let others = store.others();
        // A log that is here already may go on, also when the quota was lowered.
        if let Some(logs) = logs
            && u64::from(others.logs) >= logs
            && caller.stored == 0
        {
            let Caller { site, job, .. } = caller;
            let words = format!(
                "the quota of {logs} logs for site {site} and job {job} is used up; ask the server's operator for more"
            );
            return Err(Refusal::Never(words));
        }
        let quota = Self {
            bytes: bytes.unwrap_or(u64::MAX),
            site: caller.site.clone(),
            job: caller.job.clone(),
            others: others.bytes,
            stored: caller.stored,
            since: 0,
        };
        if quota.is_used_up() { Err(Refusal::Never(quota.words())) } else { Ok(quota) }
    }

    fn take<S: Store>(&mut self, store: &mut S, length: u64) -> Take {
        self.stored = self.stored.saturating_add(length);
        self.since = self.since.saturating_add(length);
        if self.since >= LOOK {
            self.since = 0;
            self.others = store.others().bytes;
        }
        if self.is_used_up() { Take::Last(self.words()) } else { Take::Store }
    }
}

fedtail_policy_sdk::receiver!(Quota);

#[cfg(test)]
mod tests {
    use fedtail_policy_sdk::receiver::{Level, Usage};

    use super::*;

    /// A store with other logs in it.
    #[derive(Debug)]
    struct Others(Usage);

    impl Store for Others {
        type Chunk = ();

        fn len(&mut self, (): &()) -> u64 {
            0
        }
        fn append(&mut self, (): &()) {}
        fn drop_data(&mut self, _why: &str) {}
        fn size(&mut self) -> u64 {
            0
        }
        fn others(&mut self) -> Usage {
            self.0
        }
        fn say(&mut self, _level: Level, _words: &str) {}
    }

    fn open(settings: &[(&str, &str)], stored: u64, others: Usage) -> Result<(Quota, Others), String> {
        let custom = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        let caller = Caller {
            site: "site-1".into(),
            job: "job-1".into(),
            log: "log.txt".into(),
            liveness_interval: 1,
            policy_digest: String::new(),
            stored,
            idle_timeout: 2,
            custom: Custom::default(),
        };
        let mut store = Others(others);
        match Quota::accept(&mut store, &caller, &mut Custom::new(custom)) {
            Ok(quota) => Ok((quota, store)),
            Err(Refusal::Never(words)) => Err(words),
            Err(other) => panic!("{other:?}"),
        }
    }

    const NONE: Usage = Usage { logs: 0, bytes: 0 };

    #[test]
    fn bytes_are_taken_until_the_quota_is_used_up_and_then_the_stream_ends_in_words() {
        let (mut quota, mut store) = open(&[("bytes", "100")], 0, Usage { logs: 1, bytes: 50 }).unwrap();
        assert_eq!(quota.take(&mut store, 49), Take::Store);
        let Take::Last(words) = quota.take(&mut store, 1) else { panic!("it goes on") };
        assert!(words.contains("100 bytes for site site-1 and job job-1 is used up"), "{words}");
        let words = open(&[("bytes", "100")], 50, Usage { logs: 1, bytes: 50 }).unwrap_err();
        assert!(words.contains("is used up"), "{words}");
    }

    #[test]
    fn what_other_streams_bring_meanwhile_counts() {
        let (mut quota, mut store) = open(&[("bytes", "10000000")], 0, NONE).unwrap();
        store.0.bytes = 9_900_000;
        assert_eq!(quota.take(&mut store, 1000), Take::Store);
        assert!(matches!(quota.take(&mut store, LOOK), Take::Last(_)));
    }

    #[test]
    fn a_new_log_too_many_is_refused_and_one_that_is_there_goes_on() {
        let two = Usage { logs: 2, bytes: 7 };
        assert!(open(&[("logs", "3")], 0, two).is_ok());
        let words = open(&[("logs", "2")], 0, two).unwrap_err();
        assert!(words.contains("quota of 2 logs"), "{words}");
        assert!(open(&[("logs", "2")], 1, two).is_ok());
    }

    #[test]
    fn a_quota_without_a_number_takes_nothing() {
        assert!(open(&[], 0, NONE).unwrap_err().contains("without `bytes` and `logs`"));
        assert!(open(&[("bytes", "1 GB")], 0, NONE).unwrap_err().contains("\"1 GB\", and has to be a number"));
    }
}
