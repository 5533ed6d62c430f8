//! Drives one stream: events in, steps of the policy, frames out.
//!
//! A state machine without thread, task or timer: [`task`](super::task) runs it on real ones.

use std::sync::Arc;

use bytes::Bytes;
use tracing::{debug, warn};

use self::swap::Candidate;
use super::backoff::Backoff;
use super::core::Core;
use super::guardian::{Guardian, Nobody, SitePolicy};
use super::outcome::{Ending, Outcome};
use crate::clock::Clock;
use crate::policy::set::Assigned;
use crate::policy::{Digest, Progress, Settings, StreamerInstance, StreamerPolicy, Wake};
use crate::source::LogSource;
use crate::wire::{self, server_frame, site_frame};

mod steps;
mod swap;

/// How long after sending what was written the directory is looked at: the line arrives first, also where both ends share a
/// processor. A file that vanishes so soon after it appeared would be missed anyway.
const LOOK_AFTER: u64 = 2_000_000;

/// What a stream is told.
pub enum Event {
    /// The link is up: open the stream.
    LinkUp,
    /// The link is down.
    LinkDown,
    /// There will be no link, in words.
    Refused(String),
    /// A frame of this stream came.
    Frame(server_frame::Frame),
    /// The log or its directory changed.
    Changed,
    /// The time of [`Driver::wake_at`] has come.
    Timer,
    /// The job is ending.
    Stop,
    /// Give up at once; in words for the server.
    Abort(String),
    /// Another policy is assigned to the stream; or none, in words why.
    Policy(Box<Result<SitePolicy, String>>),
}

/// What does not change about a stream.
pub struct Terms {
    /// How messages name it: job and log.
    pub name: String,
    /// Its number on the link.
    pub stream: u32,
    pub job: String,
    pub log: String,
    /// Random; the same over reconnects.
    pub instance: Bytes,
    pub settings: Settings,
}

/// Where the stream stands with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No link.
    Down,
    /// Not open, and to be opened at this instant.
    Waiting(u64),
    /// `Open` is sent.
    Opening,
    /// Open, and the policy is at work.
    Open,
    /// The policy has finished; the rest is on its way.
    Draining,
    /// `End` is sent.
    Ending,
}

/// Who is host to whom: the core is in the instance while there is one.
enum Seat {
    Free(Box<Core>),
    Taken(Box<StreamerInstance<Core>>),
    /// Only within a change of seats.
    Between,
}

/// One stream.
pub struct Driver {
    terms: Terms,
    assigned: SitePolicy,
    guardian: Arc<dyn Guardian>,
    /// What is to take over.
    candidate: Option<Candidate>,
    /// What the stream came back from.
    failed: Vec<SitePolicy>,
    /// Whether the policy has had bytes acknowledged.
    is_good: bool,
    clock: Arc<dyn Clock>,
    seat: Seat,
    stage: Stage,
    timer: Option<u64>,
    stopping: bool,
    stop_told: bool,
    strikes: u32,
    backoff: Backoff,
    stored: u64,
    outcome: Option<Outcome>,
    stalled: Option<String>,
    /// When to look at the directory, which may have changed.
    look_at: Option<u64>,
    /// The word to the server that its own was heard.
    ready: Option<wire::Ready>,
}

impl Driver {
    pub fn new(terms: Terms, policy: StreamerPolicy<Core>, source: LogSource, clock: Arc<dyn Clock>) -> Self {
        let core = Core::new(source, clock.clone(), policy.digest());
        let backoff = Backoff::new(&terms.instance);
        let assigned = Assigned::alone(policy, terms.settings.custom.clone().into());
        Self {
            terms,
            assigned,
            guardian: Arc::new(Nobody),
            candidate: None,
            failed: Vec::new(),
            is_good: false,
            clock,
            seat: Seat::Free(Box::new(core)),
            stage: Stage::Down,
            timer: None,
            stopping: false,
            stop_told: false,
            strikes: 0,
            backoff,
            stored: 0,
            outcome: None,
            stalled: None,
            look_at: None,
            ready: None,
        }
    }

    /// Puts the stream under a policy that a set has assigned, and tells this guardian of it.
    pub fn under(mut self, assigned: SitePolicy, guardian: Arc<dyn Guardian>) -> Self {
        self.adopt(assigned);
        self.guardian = guardian;
        self
    }

    /// The digest of the policy that the stream is under.
    fn digest(&self) -> Digest {
        self.assigned.policy.digest()
    }

    /// How the stream ended, once it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// Says whether the server is near: then less is on its way.
    pub fn server_is_near(&mut self, near: bool) {
        self.core().server_is_near(near);
    }

    /// When to send [`Event::Timer`], in the clock's monotonic nanoseconds.
    pub fn wake_at(&self) -> Option<u64> {
        let at = match self.stage {
            Stage::Waiting(at) => Some(at),
            Stage::Open | Stage::Draining => self.timer,
            _ => None,
        };
        at.into_iter().chain(self.look_at).min()
    }

    /// Whether the policy can go on at once, because only its step was over.
    pub fn can_go_on(&mut self) -> bool {
        let free = self.stage == Stage::Open && self.candidate.is_none() && self.outcome.is_none();
        free && self.core().wants_window && self.core().window_is_open()
    }

    /// The next frame to send.
    pub fn next_frame(&mut self) -> Option<site_frame::Frame> {
        let ready = self.ready.take().map(site_frame::Frame::Ready);
        ready.or_else(|| self.core().outbox.pop_front())
    }

    /// Whether there is a frame to send.
    pub fn has_frames(&mut self) -> bool {
        self.ready.is_some() || !self.core().outbox.is_empty()
    }

    /// Frames that are to be sent, for those who change them on their way.
    pub fn frames(&mut self) -> impl Iterator<Item = &mut site_frame::Frame> {
        self.core().outbox.iter_mut()
    }

    /// What the operator of the site should know if the stream does not end: what it waits for.
    pub fn waiting_for(&mut self) -> String {
        match self.stage {
            Stage::Down => "the server was not to be reached".into(),
            _ => match &self.stalled {
                Some(reason) => format!("the server could not store: {reason}"),
                None => "the server had not stored all of it".into(),
            },
        }
    }

    /// Bytes in the server's store, as far as this side knows.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Bytes that are on their way to the server, or queued for it.
    pub fn unacknowledged(&mut self) -> u64 {
        self.core().unacknowledged()
    }

    fn core(&mut self) -> &mut Core {
        match &mut self.seat {
            Seat::Free(core) => core,
            Seat::Taken(instance) => instance.host(),
            Seat::Between => unreachable!("a change of seats puts somebody into the seat before it returns"),
        }
    }

    /// Takes one event.
    pub fn handle(&mut self, event: Event) {
        if self.outcome.is_some() {
            return;
        }
        match event {
            Event::LinkUp => self.open(),
            Event::LinkDown => {
                self.leave_opening();
                self.stage = Stage::Down;
                self.timer = None;
            }
            Event::Refused(reason) => self.finish(Ending::Refused, reason, Vec::new()),
            Event::Frame(frame) => self.frame(frame),
            Event::Changed => {
                // First what is new in the file, since somebody may be waiting for that line; the look that is owed for one
                // event is done at the next one at the latest.
                if self.look_at.is_some() {
                    self.look();
                }
                if self.stage == Stage::Open {
                    self.step(Wake::Changed);
                }
                if self.core().outbox.is_empty() {
                    self.look();
                } else {
                    self.look_at = Some(self.clock.now().saturating_add(LOOK_AFTER));
                }
            }
            Event::Timer => {
                let now = self.clock.now();
                let is_due = |at: Option<u64>| at.is_some_and(|at| at <= now);
                match self.stage {
                    Stage::Waiting(at) if at <= now => self.open(),
                    Stage::Open if is_due(self.timer) => {
                        self.step(Wake::Timer);
                        self.look();
                    }
                    _ if is_due(self.look_at) => self.look(),
                    _ => {}
                }
            }
            Event::Stop => {
                self.stopping = true;
                self.tell_stop();
            }
            Event::Policy(assigned) => self.assign(*assigned),
            Event::Abort(reason) => {
                self.core().end(Some(reason.clone()));
                self.finish(Ending::Aborted, reason, Vec::new());
            }
        }
    }

    /// Opens files that are seen for the first time, also while the policy can't use them yet: what rotation deletes
    /// later stays readable.
    fn look(&mut self) {
        self.look_at = None;
        if let Err(error) = self.core().refresh() {
            debug!("{}: {error}", self.terms.name);
        }
    }

    fn open(&mut self) {
        let open = wire::Open {
            stream: self.terms.stream,
            job: self.terms.job.clone(),
            log: self.terms.log.clone(),
            instance: self.terms.instance.clone(),
            liveness_interval_ns: self.terms.settings.liveness_interval,
            policy_digest: Bytes::copy_from_slice(self.next_digest().as_bytes()),
        };
        self.leave_opening();
        self.core().outbox.push_back(site_frame::Frame::Open(open));
        self.stage = Stage::Opening;
    }

    /// Opens the stream again after a pause: the one path back, whatever happened.
    fn reopen(&mut self, pause: u64) {
        self.leave_opening();
        self.timer = None;
        self.stage = Stage::Waiting(self.clock.now().saturating_add(pause));
    }

    /// The opening is over. What it had on its way may have arrived: that bytes have left the site is told anyway.
    fn leave_opening(&mut self) {
        self.ready = None;
        let in_doubt = self.core().closed();
        if let Some(passed) = in_doubt {
            self.guardian.passed(passed);
        }
    }

    fn frame(&mut self, frame: server_frame::Frame) {
        match frame {
            server_frame::Frame::Opened(opened)
                if self.stage == Stage::Opening && opened.stream == self.terms.stream =>
            {
                self.opened(opened);
            }
            server_frame::Frame::OpenRefused(refused) if refused.stream == self.terms.stream => {
                let refused = refused.refused.unwrap_or_default();
                match refused.retry_after_ns {
                    Some(after) => {
                        let pause = after.max(self.backoff.next());
                        // Once in words for the person who watches, not at every attempt.
                        if self.stalled.as_ref() != Some(&refused.reason) {
                            warn!(
                                "{}: the server does not take it now: {}; trying again",
                                self.terms.name, refused.reason
                            );
                        }
                        self.stalled = Some(refused.reason);
                        self.reopen(pause);
                    }
                    None => self.finish(Ending::Refused, refused.reason, Vec::new()),
                }
            }
            server_frame::Frame::Ack(ack) if ack.stream == self.terms.stream => self.acknowledged(ack),
            server_frame::Frame::Closed(closed) if closed.stream == self.terms.stream => self.closed(closed),
            server_frame::Frame::Stalled(stalled) if stalled.stream == self.terms.stream => {
                match &stalled.reason {
                    Some(reason) => warn!("{}: waiting, the server cannot store: {reason}", self.terms.name),
                    None => warn!("{}: the server can store again", self.terms.name),
                }
                self.stalled = stalled.reason;
            }
            // What is still on its way from an opening before this one.
            _ => {}
        }
    }

    fn opened(&mut self, opened: wire::Opened) {
        let liveness = self.terms.settings.liveness_interval;
        if opened.idle_timeout_ns <= liveness {
            // The receiver policy should have refused this; without it the stream would be closed as idle for ever.
            let reason = format!(
                "the server closes a stream after {:?} of silence, and this site is heard every {liveness:?} only: set a \
                 shorter liveness interval",
                std::time::Duration::from_nanos(opened.idle_timeout_ns),
                liveness = std::time::Duration::from_nanos(liveness),
            );
            return self.finish(Ending::Refused, reason, Vec::new());
        }
        self.stored = opened.stored;
        self.stalled = None;
        let progress = Progress {
            stored: opened.stored,
            reached: opened.progress.as_ref().and_then(|p| p.at.as_ref()).map(|at| (at.device, at.inode, at.offset)),
        };
        self.ready = Some(wire::Ready { stream: opened.stream, epoch: opened.epoch });
        self.guardian.opened(opened.received, self.next_digest());
        let holds = self.core().opened(opened);
        self.stage = Stage::Open;
        self.look();
        if self.swap(progress, holds) || !self.sit_down() {
            return;
        }
        self.step(Wake::Connected(progress));
        self.tell_stop();
    }

    fn acknowledged(&mut self, ack: wire::Ack) {
        let before = self.core().unacknowledged();
        let passed = self.core().acknowledged(ack);
        if let Some(passed) = passed {
            self.guardian.passed(passed);
            if passed.to > passed.from && !std::mem::replace(&mut self.is_good, true) {
                self.guardian.is_good(&self.assigned);
            }
        }
        let after = self.core().unacknowledged();
        if after < before || self.core().drained() {
            self.stored += before - after;
            self.strikes = 0;
            self.backoff.reset();
        }
        self.end_if_drained();
        self.swap_if_drained();
        if self.can_go_on() {
            self.step(Wake::Writable);
        }
    }

    fn end_if_drained(&mut self) {
        if self.stage == Stage::Draining && self.core().drained() {
            self.core().end(None);
            self.stage = Stage::Ending;
        }
    }

    fn closed(&mut self, closed: wire::Closed) {
        if self.core().epoch().is_some_and(|epoch| epoch != closed.epoch) {
            return;
        }
        self.stored = closed.stored;
        let (reason, gaps) = (closed.reason.clone(), closed.gaps.clone());
        match closed.kind() {
            wire::EndKind::Complete if self.stage == Stage::Ending => self.finish(Ending::Complete, reason, gaps),
            wire::EndKind::Incomplete if self.stage == Stage::Ending => self.finish(Ending::Incomplete, reason, gaps),
            wire::EndKind::Superseded => self.finish(Ending::Superseded, reason, gaps),
            wire::EndKind::Aborted => self.finish(Ending::Aborted, reason, gaps),
            // The server gave the stream up and this site is alive: it goes on from what is stored.
            _ => {
                if closed.kind() == wire::EndKind::Failed {
                    warn!("{}: the server gave it up: {reason}; opening it again", self.terms.name);
                } else {
                    debug!("{}: the server closed it ({reason}); opening it again", self.terms.name);
                }
                let pause = self.backoff.next();
                self.reopen(pause);
            }
        }
    }

    fn finish(&mut self, ending: Ending, reason: String, gaps: Vec<wire::Gap>) {
        self.timer = None;
        self.candidate = None;
        let outcome = Outcome { ending, reason, stored: self.stored, gaps };
        // What waits is sent as farewell, or was sent.
        let in_doubt = self.core().in_doubt(true);
        if let Some(passed) = in_doubt {
            self.guardian.passed(passed);
        }
        self.guardian.ended(&outcome);
        self.outcome = Some(outcome);
    }
}
