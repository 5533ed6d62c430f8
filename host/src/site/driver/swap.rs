//! Another policy takes over in the middle of a stream.
//!
//! The old instance is not stepped any more; what it has sent drains, which the link goes on carrying meanwhile. When the
//! server has acknowledged all of it, the server's position is the old instance's own: so the state that it saved holds,
//! and the new instance begins like any instance, with what the server has. The opening stays. The old instance waits
//! until the new one has done its first step, and goes on if that fails; what the failed step queued was not sent yet and
//! is taken back.
//!
//! While the link is down nothing drains; then the policy changes when the stream is opened next. What was queued and lost
//! on the way leaves the saved state ahead of the server, and then it is not handed over.

use std::time::Duration;

use tracing::warn;

use super::{Driver, Ending, Seat, Stage};
use crate::policy::set::PolicyEvent;
use crate::policy::{Digest, Fault, Next, Progress, Wake};
use crate::site::core::Core;
use crate::site::guardian::SitePolicy;

/// A policy that is to take over.
pub(super) struct Candidate {
    policy: SitePolicy,
    /// Since when nothing is stepped, where the stream was open.
    since: Option<u64>,
}

impl Driver {
    /// Another policy, or none, is assigned to the stream; in words why none.
    pub(super) fn assign(&mut self, assigned: Result<SitePolicy, String>) {
        let policy = match assigned {
            Ok(policy) => policy,
            Err(reason) => {
                let event = PolicyEvent::Closed {
                    stream: self.terms.name.clone(),
                    policy: self.digest(),
                    reason: reason.clone(),
                };
                self.guardian.happened(event);
                self.core().end(Some(reason.clone()));
                return self.finish(Ending::Failed, reason, Vec::new());
            }
        };
        if self.failed.iter().any(|failed| failed.is_same(&policy)) {
            // The stream has come back from this one, and it is the same as it was.
            return;
        }
        let waited = self.candidate.take().is_some();
        if policy.is_same(&self.assigned) {
            self.assigned = policy;
            if waited {
                // It missed what happened while it was to be replaced.
                self.step(Wake::Changed);
                self.tell_stop();
            }
        } else if matches!(self.seat, Seat::Free(_)) {
            self.swapped(policy, Duration::ZERO);
        } else {
            let since = (self.stage == Stage::Open).then(|| self.clock.now());
            if since.is_some() {
                self.timer = None;
            }
            self.candidate = Some(Candidate { policy, since });
            self.swap_if_drained();
        }
    }

    /// Whether a policy waits to take over.
    pub fn is_swapping(&self) -> bool {
        self.candidate.is_some()
    }

    /// Whether nothing is on its way, so that another policy can take over at once.
    pub fn is_quiet(&mut self) -> bool {
        self.core().drained()
    }

    /// The digest of the policy that the next opening will be under.
    pub(super) fn next_digest(&self) -> Digest {
        self.candidate.as_ref().map_or(self.digest(), |candidate| candidate.policy.policy.digest())
    }

    /// Lets the candidate take over if nothing is on its way any more.
    pub(super) fn swap_if_drained(&mut self) {
        if self.stage == Stage::Open && self.candidate.is_some() && self.core().drained() {
            let reached = self.core().settle();
            let progress = Progress { stored: self.stored, reached };
            self.swap(progress, true);
        }
    }

    /// Lets the candidate take over now, where nothing is on its way. `holds`: the old instance's state is that of the
    /// server's position. Returns whether the stream was stepped.
    pub(super) fn swap(&mut self, progress: Progress, holds: bool) -> bool {
        let Some(Candidate { policy, since }) = self.candidate.take() else { return false };
        let mut old = match std::mem::replace(&mut self.seat, Seat::Between) {
            Seat::Taken(old) => old,
            seat => {
                // The old instance failed meanwhile: the new one begins as after any failure.
                self.seat = seat;
                self.swapped(policy, Duration::ZERO);
                return false;
            }
        };
        let state = match if holds { old.save() } else { None } {
            None => None,
            Some(Ok(state)) => Some(state),
            Some(Err(fault)) => {
                warn!("{}: the policy's state is not carried over: {fault}", self.terms.name);
                // Its instance is spent, so it is out of question as the one that goes on.
                self.seat = Seat::Free(Box::new(old.into_host()));
                self.swapped(policy, Duration::ZERO);
                if self.sit_down() {
                    self.step(Wake::Connected(progress));
                    self.tell_stop();
                }
                return true;
            }
        };
        let (parked, mut core) = old.park();
        let mark = core.mark();
        core.set_policy(policy.policy.digest());
        core.begin_step();
        match self.first_step(&policy, core, state.as_deref(), progress) {
            Ok(next) => {
                drop(parked);
                let pause = since.map_or(0, |since| self.clock.now().saturating_sub(since));
                self.swapped(policy, Duration::from_nanos(pause));
                self.stepped(Ok(next));
            }
            Err((mut core, fault)) => {
                core.undo(mark);
                core.set_policy(self.digest());
                self.seat = Seat::Taken(Box::new(parked.unpark(*core)));
                let stream = self.terms.name.clone();
                let (from, to) = (self.digest(), policy.policy.digest());
                self.guardian.happened(PolicyEvent::NotSwapped { stream, from, to, reason: fault.to_string() });
                self.step(Wake::Connected(progress));
            }
        }
        self.tell_stop();
        true
    }

    /// Starts the new instance, gives it the state, and steps it once. It has the seat if that goes well.
    fn first_step(
        &mut self,
        policy: &SitePolicy,
        core: Core,
        state: Option<&[u8]>,
        progress: Progress,
    ) -> Result<Next, (Box<Core>, Fault)> {
        let mut settings = self.terms.settings.clone();
        settings.custom = policy.custom.to_vec();
        let started = policy.policy.start(core, &self.terms.name, &settings);
        let mut new = started.map_err(|(core, fault)| (Box::new(core), fault))?;
        let loaded = state.map_or(Ok(()), |state| new.load(state));
        match loaded.and_then(|()| new.step(Wake::Connected(progress))) {
            Ok(next) => {
                self.seat = Seat::Taken(Box::new(new));
                Ok(next)
            }
            Err(fault) => Err((Box::new(new.into_host()), fault)),
        }
    }

    /// The policy is another one from here on.
    pub(super) fn swapped(&mut self, policy: SitePolicy, pause: Duration) {
        let (from, to) = (self.digest(), policy.policy.digest());
        self.adopt(policy);
        self.failed.clear();
        self.guardian.happened(PolicyEvent::Swapped { stream: self.terms.name.clone(), from, to, pause });
    }

    /// Makes a policy the stream's own, with a clean sheet.
    pub(super) fn adopt(&mut self, policy: SitePolicy) {
        self.terms.settings.custom = policy.custom.to_vec();
        self.assigned = policy;
        self.is_good = false;
        self.stop_told = false;
        self.strikes = 0;
        self.backoff.reset();
        let digest = self.digest();
        self.core().set_policy(digest);
    }

    /// The policy failed too often. An earlier one goes on in its place, from what the server has, or nothing does.
    pub(super) fn struck_out(&mut self, fault: &Fault) {
        let failed = self.assigned.clone();
        let (stream, from, reason) = (self.terms.name.clone(), self.digest(), fault.to_string());
        self.failed.push(failed.clone());
        let digests: Vec<_> = self.failed.iter().map(|failed| failed.policy.digest()).collect();
        let waiting = self.candidate.take().map(|candidate| candidate.policy);
        match waiting.or_else(|| self.guardian.instead_of(&failed, &digests)) {
            Some(policy) => {
                let to = policy.policy.digest();
                self.guardian.happened(PolicyEvent::RolledBack { stream, from, to, reason });
                // What the failed one has on its way is told as its own.
                self.leave_opening();
                self.adopt(policy);
                let pause = self.backoff.next();
                self.reopen(pause);
            }
            None => {
                let times = self.strikes;
                let reason = match times {
                    0 => format!("the policy does not take its settings: {reason}"),
                    _ => format!("{reason}; nothing more is sent, after {times} failures in a row"),
                };
                self.guardian.happened(PolicyEvent::Closed { stream, policy: from, reason: reason.clone() });
                self.core().end(Some(reason.clone()));
                self.finish(Ending::Failed, reason, Vec::new());
            }
        }
    }
}
