//! Opening a stream: names, grace, the policy's word, and a new epoch in the store.

use std::sync::Arc;
use std::time::Duration;

use tracing::warn;

use super::Inner;
use super::receiving::Receiving;
use super::standing::ServerPolicy;
use crate::names::{JobName, LogKey, LogName, SiteName};
use crate::policy::{Caller, Others, Refusal, Totals};
use crate::store::{StoreError, StoredLog};
use crate::wire;

/// A stream that was opened, and entered into the store: its epoch is the newest.
pub struct Opening {
    pub key: LogKey,
    pub log: Arc<StoredLog>,
    pub receiving: Receiving,
    pub policy: ServerPolicy,
    /// What the policy was told of the site.
    pub caller: Caller,
    /// What the site is told.
    pub opened: wire::Opened,
    /// Whether the same run of the site had it open before.
    pub same_stream: bool,
}

/// Why a stream is not opened.
pub struct NotOpened {
    pub words: String,
    /// In nanoseconds; none: for good.
    pub retry_after: Option<u64>,
}

impl NotOpened {
    pub fn never(words: impl ToString) -> Self {
        Self { words: words.to_string(), retry_after: None }
    }

    pub fn later(words: impl ToString, after: Option<u64>) -> Self {
        Self { words: words.to_string(), retry_after: Some(after.unwrap_or(0)) }
    }
}

impl Inner {
    /// Opens a stream of this site, or says why not.
    pub fn open(&self, site: &SiteName, open: wire::Open) -> Result<Opening, NotOpened> {
        let job = JobName::new(open.job).map_err(NotOpened::never)?;
        let log = LogName::new(open.log).map_err(NotOpened::never)?;
        let key = LogKey { job, site: site.clone(), log };
        let refused = |error: StoreError| {
            warn!("{key}: {error}");
            // What the operating system refuses now it may allow later; what is wrong in the store needs a person.
            match error {
                StoreError::Io { .. } => NotOpened::later(error, None),
                error => NotOpened::never(error),
            }
        };
        let log = self.store.log(&key).map_err(refused)?;
        let before = log.state();
        if let Some(end) = &before.end {
            let age = Duration::from_nanos(self.clock.wall().saturating_sub(before.written_at));
            if age > self.late_grace {
                return Err(NotOpened::never(format!(
                    "{key} ended ({}) {} ago, and late lines are taken for {} only",
                    super::ending_name(end.kind()),
                    humantime::format_duration(Duration::from_secs(age.as_secs())),
                    humantime::format_duration(self.late_grace),
                )));
            }
        }
        let assigned = self.policy_of(&key)?;
        let caller = Caller {
            site: key.site.to_string(),
            job: key.job.to_string(),
            log: key.log.to_string(),
            liveness_interval: open.liveness_interval_ns,
            policy_digest: format!("sha256:{}", crate::policy::hex(&open.policy_digest)),
            stored: before.stored,
            idle_timeout: u64::try_from(self.idle_timeout.as_nanos()).unwrap_or(u64::MAX),
            custom: assigned.custom.to_vec(),
            others: self.others(&key),
        };
        let (policy, terms) = match assigned.policy.accept(self.clock.clone(), &caller) {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(Refusal::Never(words))) => return Err(NotOpened::never(words)),
            Ok(Err(Refusal::Later(after, why))) => return Err(NotOpened::later(why, after)),
            Err(fault) => {
                warn!("{key}: {fault}");
                self.struck(&key, &assigned, &fault.to_string());
                return Err(NotOpened::later(fault, None));
            }
        };
        let state = log.open_stream(&open.instance, &open.policy_digest).map_err(refused)?;
        let sites_word =
            |end: &wire::RecordedEnd| matches!(end.kind(), wire::EndKind::Complete | wire::EndKind::Incomplete);
        let opened = wire::Opened {
            stream: open.stream,
            epoch: state.epoch,
            progress: state.progress.clone(),
            stored: state.stored,
            received: state.received,
            idle_timeout_ns: terms.idle_timeout,
            credit: self.registry.credit(),
            ended: before.end.as_ref().is_some_and(sites_word),
        };
        let receiving = Receiving::new(log.clone(), policy, self.clock.clone(), &state, terms.idle_timeout);
        let same_stream = before.instance == open.instance;
        Ok(Opening { key, log, receiving, policy: assigned, caller, opened, same_stream })
    }

    /// What the store has of the site and job of a log, without it. What can't be read counts as nothing: it is said
    /// when its own stream opens.
    fn others(&self, key: &LogKey) -> Others {
        let (store, key) = (self.store.clone(), key.clone());
        Others::new(move || {
            let keys = store.logs_of(&key.job, &key.site).unwrap_or_default();
            let logs = keys.iter().filter(|other| **other != key).filter_map(|other| store.log(other).ok());
            logs.fold(Totals::default(), |totals, log| Totals {
                logs: totals.logs.saturating_add(1),
                bytes: totals.bytes.saturating_add(log.state().stored),
            })
        })
    }
}
