//! Another receiver policy takes over in the middle of a stream.
//!
//! Between two steps the new policy is asked whether it takes the stream, as it stands. If it does, the next step is its
//! own; the old instance waits until that step has gone well, and does it instead if it fails. If the new policy refuses the
//! stream, the opening ends, and the site hears the refusal when it opens the stream again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::Inner;
use super::standing::ServerPolicy;
use crate::names::LogKey;
use crate::policy::set::{Assignment, PolicyEvent};
use crate::policy::{Caller, ReceiverPolicy};

#[cfg(test)]
mod tests;

/// One stream's part.
pub struct Turnover {
    /// What the stream is under.
    policy: ServerPolicy,
    caller: Caller,
    assignments: watch::Receiver<Arc<Assignment<ReceiverPolicy>>>,
    /// What has taken over, and has not done its first step.
    on_trial: Option<ServerPolicy>,
    /// Whether the policy has had something committed.
    is_good: bool,
}

/// What is to take over, for [`Receiving::replace`](super::receiving::Receiving::replace).
pub struct Successor {
    pub policy: ServerPolicy,
    pub caller: Caller,
}

impl Turnover {
    pub fn new(server: &Inner, policy: ServerPolicy, caller: Caller) -> Self {
        let mut assignments = server.policies.current();
        // They may have changed since the policy was chosen.
        assignments.mark_changed();
        Self { policy, caller, assignments, on_trial: None, is_good: false }
    }

    /// Waits until policies change.
    pub async fn changed(&mut self) {
        if self.assignments.changed().await.is_err() {
            // The server's policies are gone with the server.
            std::future::pending().await
        }
    }

    /// What is to take over, if another policy is assigned; in words why there is none any more.
    pub fn successor(&mut self, server: &Inner, key: &LogKey) -> Result<Option<Successor>, String> {
        let policy = server.policy_of(key).map_err(|refused| refused.words)?;
        if policy.is_same(&self.policy) {
            self.policy = policy;
            return Ok(None);
        }
        let caller = Caller { custom: policy.custom.to_vec(), ..self.caller.clone() };
        Ok(Some(Successor { policy, caller }))
    }

    /// The new policy takes the stream, and will do the next step.
    pub fn accepted(&mut self, policy: ServerPolicy) {
        self.on_trial = Some(policy);
    }

    /// The first step of the new policy is done; or it failed, with these words, and the old one goes on.
    pub fn tried(&mut self, server: &Inner, key: &LogKey, tried: Result<(), String>) {
        let Some(policy) = self.on_trial.take() else { return };
        match tried {
            Ok(()) => {
                let (from, to) = (self.policy.policy.digest(), policy.policy.digest());
                server.policies.tell(&PolicyEvent::Swapped {
                    stream: key.to_string(),
                    from,
                    to,
                    pause: Duration::ZERO,
                });
                self.policy = policy;
                self.is_good = false;
            }
            Err(reason) => self.refused(server, key, &policy, reason),
        }
    }

    /// The new policy does not take over.
    pub fn refused(&self, server: &Inner, key: &LogKey, policy: &ServerPolicy, reason: String) {
        let (from, to) = (self.policy.policy.digest(), policy.policy.digest());
        server.policies.tell(&PolicyEvent::NotSwapped { stream: key.to_string(), from, to, reason });
    }

    /// Something was committed.
    pub fn progressed(&mut self, server: &Inner, key: &LogKey) {
        if !std::mem::replace(&mut self.is_good, true) {
            server.progressed(key, &self.policy);
        }
    }

    /// The policy failed.
    pub fn struck(&self, server: &Inner, key: &LogKey, reason: &str) {
        server.struck(key, &self.policy, reason);
    }
}
