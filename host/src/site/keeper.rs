//! The guardian of one stream: the site's policies and its audit, together.

use std::sync::{Arc, Mutex, PoisonError};

use super::core::Core;
use super::guardian::{Guardian, Passed, SitePolicy};
use super::outcome::Outcome;
use crate::audit::{Audit, Entry, Run, Source};
use crate::policy::set::{PolicyEvent, PolicySet};
use crate::policy::{Digest, StreamerPolicy};

/// A site's policies.
pub type SitePolicies = PolicySet<StreamerPolicy<Core>>;

/// See the module.
pub struct Keeper {
    policies: Arc<SitePolicies>,
    audit: Option<Arc<Audit>>,
    /// Job and log.
    log: Arc<str>,
    /// The digest that was told last, as text: it is the same for millions of bytes.
    told: Mutex<Option<(Digest, Arc<str>)>>,
}

impl Keeper {
    pub fn new(policies: Arc<SitePolicies>, audit: Option<Arc<Audit>>, log: &str) -> Self {
        Self { policies, audit, log: log.into(), told: Mutex::default() }
    }

    fn text(&self, policy: Digest) -> Arc<str> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        match &*told {
            Some((digest, text)) if *digest == policy => text.clone(),
            _ => {
                let text: Arc<str> = policy.to_string().into();
                *told = Some((policy, text.clone()));
                text
            }
        }
    }

    fn add(&self, entry: Entry) {
        if let Some(audit) = &self.audit {
            audit.add(entry, Some(&self.log));
        }
    }
}

impl Guardian for Keeper {
    fn opened(&self, received: u64, policy: Digest) {
        self.add(Entry::Opened { log: self.log.to_string(), received, policy: policy.to_string() });
    }

    fn passed(&self, passed: Passed) {
        let Some(audit) = &self.audit else { return };
        if passed.to == passed.from {
            return;
        }
        let source = passed.reached.map(|(device, inode, offset)| Source { device, inode, offset });
        let Passed { from, to, acknowledged, policy, .. } = passed;
        audit.passed(Run { log: self.log.clone(), policy: self.text(policy), from, to, acknowledged, source });
    }

    fn is_good(&self, policy: &SitePolicy) {
        self.policies.is_good(policy);
    }

    fn instead_of(&self, policy: &SitePolicy, failed: &[Digest]) -> Option<SitePolicy> {
        self.policies.instead_of(policy, failed)
    }

    fn happened(&self, event: PolicyEvent) {
        self.policies.tell(&event);
    }

    fn ended(&self, outcome: &Outcome) {
        self.add(Entry::Ended { log: self.log.to_string(), outcome: outcome.to_string() });
    }
}

/// The entry that tells of an event, and the stream that it is about.
pub fn audited(event: &PolicyEvent) -> (Entry, Option<&str>) {
    let text = Digest::to_string;
    match event {
        PolicyEvent::Loaded { policies } => {
            let policies = policies.iter().map(|(file, digest)| (file.clone(), digest.to_string())).collect();
            (Entry::Loaded { policies }, None)
        }
        PolicyEvent::Refused { reason } => (Entry::Refused { reason: reason.clone() }, None),
        PolicyEvent::Swapped { stream, from, to, .. } => {
            (Entry::Swapped { log: stream.clone(), from: text(from), to: text(to) }, Some(stream))
        }
        PolicyEvent::NotSwapped { stream, from, to, reason } => {
            let (log, reason) = (stream.clone(), reason.clone());
            (Entry::NotSwapped { log, from: text(from), to: text(to), reason }, Some(stream))
        }
        PolicyEvent::RolledBack { stream, from, to, reason } => {
            let (log, reason) = (stream.clone(), reason.clone());
            (Entry::RolledBack { log, from: text(from), to: text(to), reason }, Some(stream))
        }
        PolicyEvent::Closed { stream, policy, reason } => {
            let (log, reason) = (stream.clone(), reason.clone());
            (Entry::Closed { log, policy: text(policy), reason }, Some(stream))
        }
    }
}
