//! Notes what a policy does that no policy may: the hosts of production would forgive it some times.

use std::sync::{Arc, Mutex, PoisonError};

use crate::policy::set::PolicyEvent;
use crate::policy::{Digest, Fault};
use crate::site::Outcome;
use crate::site::guardian::{Guardian, Passed, SitePolicy};

/// The first fault of a run. Clones are the same one.
#[derive(Clone, Default)]
pub(super) struct Witness {
    fault: Arc<Mutex<Option<String>>>,
    forgives: bool,
}

impl Witness {
    /// One that forgives, or not.
    pub fn new(forgives: bool) -> Self {
        Self { forgives, ..Self::default() }
    }

    /// A policy did this.
    pub fn saw(&self, words: impl ToString) {
        if self.forgives {
            return;
        }
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| words.to_string());
    }

    /// What was seen first.
    pub fn fault(&self) -> Option<String> {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Guardian for Witness {
    fn opened(&self, _received: u64, _policy: Digest) {}

    fn passed(&self, _passed: Passed) {}

    fn is_good(&self, _policy: &SitePolicy) {}

    fn instead_of(&self, _policy: &SitePolicy, _failed: &[Digest]) -> Option<SitePolicy> {
        None
    }

    fn struck(&self, fault: &Fault) {
        // Whoever gives up in words is started again, and may do better; how that ends the stream's outcome says.
        if !matches!(fault, Fault::Gave(_)) {
            self.saw(fault);
        }
    }

    fn happened(&self, event: PolicyEvent) {
        if let PolicyEvent::NotSwapped { reason, .. } = event
            && !reason.starts_with(GAVE_UP)
        {
            self.saw(format!("it does not take over from itself: {reason}"));
        }
    }

    fn ended(&self, _outcome: &Outcome) {}
}

/// How the words of [`Fault::Gave`] begin.
const GAVE_UP: &str = "the policy gave up";
