//! The policy's instance: made, stepped, and dropped where it fails.

use tracing::warn;

use super::{Driver, Ending, Seat, Stage};
use crate::policy::{Fault, Next, Wake};

impl Driver {
    /// Goes on after a step that only its budget ended.
    pub fn go_on(&mut self) {
        self.step(Wake::Writable);
    }

    /// Makes an instance if there is none.
    pub(super) fn sit_down(&mut self) -> bool {
        match std::mem::replace(&mut self.seat, Seat::Between) {
            Seat::Free(core) => match self.assigned.policy.start(*core, &self.terms.name, &self.terms.settings) {
                Ok(instance) => {
                    self.seat = Seat::Taken(Box::new(instance));
                    self.stop_told = false;
                    true
                }
                Err((core, fault)) => {
                    self.seat = Seat::Free(Box::new(core));
                    match fault {
                        // The contract: an error of `start` says what is wrong with the settings.
                        Fault::Gave(_) => {
                            self.strikes = 0;
                            self.struck_out(&fault);
                        }
                        fault => self.strike(&fault),
                    }
                    false
                }
            },
            seat => {
                self.seat = seat;
                true
            }
        }
    }

    pub(super) fn tell_stop(&mut self) {
        if self.stopping && !self.stop_told && self.stage == Stage::Open && self.candidate.is_none() {
            self.stop_told = true;
            self.look();
            self.step(Wake::Stop);
        }
    }

    pub(super) fn step(&mut self, wake: Wake) {
        // One that is about to be replaced does nothing more.
        if self.candidate.is_some() || self.outcome.is_some() {
            return;
        }
        let Seat::Taken(instance) = &mut self.seat else { return };
        instance.host().begin_step();
        let next = instance.step(wake);
        self.stepped(next);
    }

    /// What a step came to.
    pub(super) fn stepped(&mut self, next: Result<Next, Fault>) {
        if let Some(reason) = self.core().different_source() {
            let reason = reason.to_owned();
            // The server's operator wonders about a log that does not grow.
            self.core().end(Some(reason.clone()));
            return self.finish(Ending::Refused, reason, Vec::new());
        }
        match next {
            Ok(Next::Wait(at)) => self.timer = Some(at),
            Ok(Next::Finished) => {
                self.stage = Stage::Draining;
                self.timer = None;
                self.end_if_drained();
            }
            Err(fault) => self.strike(&fault),
        }
    }

    /// The policy failed: its instance is dropped, and after a pause a fresh one goes on from the server's position.
    pub(super) fn strike(&mut self, fault: &Fault) {
        self.strikes += 1;
        self.guardian.struck(fault);
        self.seat = match std::mem::replace(&mut self.seat, Seat::Between) {
            Seat::Taken(instance) => Seat::Free(Box::new(instance.into_host())),
            seat => seat,
        };
        if self.strikes >= self.assigned.strikes {
            return self.struck_out(fault);
        }
        warn!("{}: {fault}; starting it again from what the server has", self.terms.name);
        let pause = self.backoff.next();
        self.reopen(pause);
    }
}
