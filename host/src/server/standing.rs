//! Which receiver policy a log is under, after what its policies have done to it so far.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Inner;
use super::opening::NotOpened;
use crate::names::LogKey;
use crate::policy::ReceiverPolicy;
use crate::policy::set::{Assigned, PolicyEvent};

/// A receiver policy of this server, ready for a stream.
pub type ServerPolicy = Assigned<ReceiverPolicy>;

/// Logs whose policies have failed.
#[derive(Default)]
pub struct Standings(Mutex<HashMap<LogKey, Standing>>);

#[derive(Default)]
struct Standing {
    /// Failures in a row, without a commit between them.
    strikes: u32,
    /// What the log has come back from.
    failed: Vec<ServerPolicy>,
    /// What takes its place; none where nothing is left.
    instead: Option<ServerPolicy>,
}

impl Standings {
    fn with<T>(&self, act: impl FnOnce(&mut HashMap<LogKey, Standing>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Inner {
    /// The policy that a log is under now, or why there is none.
    pub fn policy_of(&self, key: &LogKey) -> Result<ServerPolicy, NotOpened> {
        let assignment = self.policies.current().borrow().clone();
        let assigned = assignment
            .of(key.job.as_str(), key.log.as_str(), Some(key.site.as_str()))
            .map_err(|error| NotOpened::later(error, None))?;
        let instead = self.standings.with(|standings| {
            let standing = standings.get(key)?;
            standing.failed.iter().any(|failed| failed.is_same(&assigned)).then(|| standing.instead.clone())
        });
        match instead {
            None => Ok(assigned),
            Some(Some(instead)) => Ok(instead),
            Some(None) => Err(NotOpened::later(
                "the server's policy failed again and again on this log, and no other takes its place; the server's \
                 operator can replace it",
                None,
            )),
        }
    }

    /// The policy failed. After as many failures in a row as are allowed, another one takes its place, or none does.
    pub fn struck(&self, key: &LogKey, policy: &ServerPolicy, reason: &str) {
        let event = self.standings.with(|standings| {
            let standing = standings.entry(key.clone()).or_default();
            standing.strikes += 1;
            if standing.strikes < policy.strikes {
                return None;
            }
            standing.strikes = 0;
            standing.failed.push(policy.clone());
            let failed: Vec<_> = standing.failed.iter().map(|failed| failed.policy.digest()).collect();
            standing.instead = self.policies.instead_of(policy, &failed);
            let (stream, from, reason) = (key.to_string(), policy.policy.digest(), reason.to_owned());
            Some(match &standing.instead {
                Some(instead) => PolicyEvent::RolledBack { stream, from, to: instead.policy.digest(), reason },
                None => PolicyEvent::Closed { stream, policy: from, reason },
            })
        });
        if let Some(event) = event {
            self.policies.tell(&event);
        }
    }

    /// Something was committed under the policy: it is one to come back to, and the log's failures are forgiven.
    pub fn progressed(&self, key: &LogKey, policy: &ServerPolicy) {
        self.policies.is_good(policy);
        self.standings.with(|standings| {
            if let Some(standing) = standings.get_mut(key) {
                standing.strikes = 0;
                if standing.failed.is_empty() {
                    standings.remove(key);
                }
            }
        });
    }
}
