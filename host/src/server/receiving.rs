//! Takes one opening of one stream: frames in, steps of the policy, commits, acknowledgements out.
//!
//! A state machine without task or timer, called with what came; [`log_task`](super::log_task) runs it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tracing::warn;

use super::turnover::Successor;
use crate::broken::{Rule, is_broken};
use crate::clock::Clock;
use crate::policy::{Fault, ReceiverInstance, ReceiverNext, ReceiverWake, Refusal, Verdict, limits};
use crate::store::{Batch, CommitError, LogState, StoreError, StoredLog};
use crate::wire::{self, EndKind, compression};

/// What a commit collects at most: with more, the first byte of it is readable later; with less, the store's journal
/// grows faster than it needs to.
const BATCH: usize = 4 << 20;

/// What a stream is told, or comes to.
#[derive(Debug)]
pub enum Output {
    /// All frames up to this one are committed, and so many bytes of theirs.
    Ack { seq: u64, bytes: u64 },
    /// The store can't take more now, in words; or it can again.
    Stalled(Option<String>),
    /// It is over, and recorded if it is to be.
    Ended(EndKind, String),
    /// Another opening has taken over.
    Fenced,
    /// This opening is spent, by a fault of the policy or a frame that can't be right; the site is to open it again.
    Spent(String),
    /// The site has left it without anything new, in words: the log stays as it had ended.
    Left(String),
}

/// One opening.
pub struct Receiving {
    log: Arc<StoredLog>,
    policy: ReceiverInstance,
    /// The instance before, until this one has done its first step.
    predecessor: Option<ReceiverInstance>,
    /// Whether the opening is spent by a fault of the policy.
    policy_failed: bool,
    /// How a policy on trial did.
    tried: Option<Result<(), String>>,
    clock: Arc<dyn Clock>,
    epoch: u64,
    idle_timeout: u64,
    /// What the last complete range reached; the store's `received` once all is committed.
    base: u64,
    seq: u64,
    stored: u64,
    queue: VecDeque<wire::Data>,
    end: Option<wire::End>,
    /// Frames of a range whose last one has not come.
    parts: Vec<Bytes>,
    parts_length: u64,
    /// Stepped and not committed: kept while the disk is full.
    batch: Option<(Batch, u64)>,
    /// What the policy asked for with the batch.
    closing: Option<(EndKind, String)>,
    stalled: bool,
    heard: u64,
    timer: Option<u64>,
    over: bool,
}

impl Receiving {
    pub fn new(
        log: Arc<StoredLog>,
        policy: ReceiverInstance,
        clock: Arc<dyn Clock>,
        state: &LogState,
        idle_timeout: u64,
    ) -> Self {
        let heard = clock.now();
        Self {
            log,
            policy,
            predecessor: None,
            policy_failed: false,
            tried: None,
            clock,
            epoch: state.epoch,
            idle_timeout,
            base: state.received,
            seq: 0,
            stored: state.stored,
            queue: VecDeque::new(),
            end: None,
            parts: Vec::new(),
            parts_length: 0,
            batch: None,
            closing: None,
            stalled: false,
            heard,
            timer: None,
            over: false,
        }
    }

    /// When to call [`tick`](Self::tick), in the clock's monotonic nanoseconds.
    pub fn wake_at(&self) -> u64 {
        let idle = self.heard.saturating_add(self.idle_timeout);
        // While the store is full nobody is silent: the site waits for us.
        let idle = if self.stalled { u64::MAX } else { idle };
        self.timer.map_or(idle, |timer| timer.min(idle))
    }

    /// Whether what came can't be stored now and [`go_on`](Self::go_on) is to be called again later.
    pub fn is_stalled(&self) -> bool {
        self.stalled
    }

    /// Whether there is anything to do.
    pub fn has_work(&self) -> bool {
        self.batch.is_some() || !self.queue.is_empty() || self.end.is_some() || self.closing.is_some()
    }

    /// Ends the policy's part: what becomes of the log.
    pub fn into_policy(self) -> ReceiverInstance {
        self.policy
    }

    /// Asks another policy whether it takes the stream as it stands; if so, it does the next step. An error says why not;
    /// a refusal also ends the opening, so that the site hears it when it opens the stream again.
    pub fn replace(&mut self, successor: &Successor, out: &mut Vec<Output>) -> Result<(), String> {
        let caller = crate::policy::Caller { stored: self.stored, ..successor.caller.clone() };
        match successor.policy.policy.accept(self.clock.clone(), &caller) {
            Ok(Ok((instance, terms))) => {
                let before = std::mem::replace(&mut self.policy, instance);
                // One that is on trial itself was never the stream's.
                self.predecessor.get_or_insert(before);
                self.idle_timeout = terms.idle_timeout;
                self.timer = None;
                Ok(())
            }
            Ok(Err(Refusal::Never(words) | Refusal::Later(_, words))) => {
                self.spent(format!("the server's new policy does not take the stream: {words}"), out);
                Err(words)
            }
            Err(fault) => Err(fault.to_string()),
        }
    }

    /// Whether the opening is spent by a fault of the policy.
    pub fn policy_failed(&self) -> bool {
        self.policy_failed
    }

    /// How the first step of a policy that took over went, once.
    pub fn tried(&mut self) -> Option<Result<(), String>> {
        self.tried.take()
    }

    /// One step of the policy, or of the one before it, where this one has just taken over and fails.
    fn run_policy(&mut self, wake: ReceiverWake, stored: u64) -> Result<Verdict, Fault> {
        let again = self.predecessor.as_ref().map(|_| wake.clone());
        let stepped = self.policy.step(wake, stored);
        match (stepped, self.predecessor.take(), again) {
            (Err(fault), Some(before), Some(wake)) => {
                self.tried = Some(Err(fault.to_string()));
                self.policy = before;
                self.policy.step(wake, stored).inspect_err(|_| self.policy_failed = true)
            }
            (Ok(verdict), Some(_), _) => {
                self.tried = Some(Ok(()));
                Ok(verdict)
            }
            (stepped, ..) => stepped.inspect_err(|_| self.policy_failed = true),
        }
    }

    /// Takes a frame; it is worked on by [`go_on`](Self::go_on).
    pub fn data(&mut self, data: wire::Data) {
        self.heard = self.clock.now();
        self.queue.push_back(data);
    }

    /// Takes the end.
    pub fn end(&mut self, end: wire::End) {
        self.heard = self.clock.now();
        self.end = Some(end);
    }

    /// The site is alive.
    pub fn heartbeat(&mut self, out: &mut Vec<Output>) {
        if !is_broken(Rule::BeatsCount) {
            self.heard = self.clock.now();
        }
        self.log.heard();
        self.step(ReceiverWake::Heartbeat, out);
    }

    /// The time of [`wake_at`](Self::wake_at) has come.
    pub fn tick(&mut self, out: &mut Vec<Output>) {
        let now = self.clock.now();
        if self.timer.is_some_and(|timer| timer <= now) {
            self.timer = None;
            self.step(ReceiverWake::Timer, out);
        }
        let silence = now.saturating_sub(self.heard);
        if !self.over && !self.stalled && silence >= self.idle_timeout {
            self.step(ReceiverWake::Idle(silence), out);
            // A policy that waits on is asked again after the same time.
            self.heard = now;
        }
    }

    /// Works on what came, until nothing is left or the store can't take it.
    pub fn go_on(&mut self, out: &mut Vec<Output>) {
        while !self.over {
            if self.batch.is_some() {
                if !self.commit(out) {
                    return;
                }
                continue;
            }
            if let Some((kind, reason)) = self.closing.take() {
                self.close(kind, reason, out);
                return;
            }
            if let Some(data) = self.queue.pop_front() {
                if let Err(wrong) = self.collect(data, out) {
                    self.spent(wrong, out);
                }
                continue;
            }
            if let Some(end) = self.end.take() {
                self.record_end(end, out);
            }
            return;
        }
    }

    /// Fills a batch with this frame and those behind it.
    fn collect(&mut self, first: wire::Data, out: &mut Vec<Output>) -> Result<(), String> {
        let mut batch = Batch { base: self.base, ..Batch::default() };
        let (mut size, mut ranges) = (0, 0);
        let mut next = Some(first);
        while let Some(data) = next.take() {
            if !data.policy_digest.is_empty() && ranges > 0 {
                // A batch is recorded under one policy.
                self.queue.push_front(data);
                break;
            }
            let payload = self.check(&data, self.base + batch.received)?;
            self.parts_length += payload.len() as u64;
            if self.parts_length > u64::from(limits::RANGE) {
                return Err(format!("a range of more than {} bytes", limits::RANGE));
            }
            if !payload.is_empty() {
                self.parts.push(payload);
            }
            if data.reached.is_none() && !is_broken(Rule::RangeIsWhole) {
                next = self.queue.pop_front();
                continue;
            }
            for gap in &data.gaps {
                self.decide(ReceiverWake::Lost(gap.clone()), &mut batch).map_err(|fault| fault.to_string())?;
            }
            let at = batch.data.iter().map(|data| data.len() as u64).sum();
            for part in std::mem::take(&mut self.parts) {
                size += part.len();
                self.decide(ReceiverWake::Data(part), &mut batch).map_err(|fault| fault.to_string())?;
            }
            batch.received += std::mem::take(&mut self.parts_length);
            batch.progress = data.reached.or(batch.progress);
            batch.gaps.extend(data.gaps.into_iter().map(|gap| wire::Gap { at, ..gap }));
            if !data.policy_digest.is_empty() {
                batch.policy_digest = Some(data.policy_digest.to_vec());
            }
            ranges += 1;
            if self.closing.is_some() || size >= BATCH {
                break;
            }
            next = self.queue.pop_front();
        }
        if ranges > 0 {
            self.batch = Some((batch, self.seq));
            self.commit(out);
        }
        Ok(())
    }

    /// One step of the policy whose result goes into the batch.
    fn decide(&mut self, wake: ReceiverWake, batch: &mut Batch) -> Result<(), Fault> {
        let staged: u64 = batch.data.iter().map(|data| data.len() as u64).sum();
        let verdict = self.run_policy(wake, self.stored + staged)?;
        batch.data.extend(verdict.staged);
        batch.dropped.extend(verdict.dropped);
        match verdict.next {
            ReceiverNext::Wait(timer) => self.timer = timer,
            ReceiverNext::Close(kind, reason) => self.closing = Some((kind, reason)),
        }
        Ok(())
    }

    /// What a frame must be: of this opening, the next one, and where the stream stands. Returns its bytes.
    /// `base` is where the range begins that the frame is part of.
    fn check(&mut self, data: &wire::Data, base: u64) -> Result<Bytes, String> {
        if data.seq != self.seq + 1 {
            return Err(format!("frame {} came, and {} is the next", data.seq, self.seq + 1));
        }
        let expected = base + self.parts_length;
        if data.base != expected {
            return Err(format!("a frame for byte {} came, and the stream is at {expected}", data.base));
        }
        let payload = compression::expand(data, limits::CHUNK)?;
        self.seq = data.seq;
        Ok(payload)
    }

    /// Commits the batch; false when the store can't take it now.
    fn commit(&mut self, out: &mut Vec<Output>) -> bool {
        let Some((batch, seq)) = self.batch.take() else { return true };
        match self.log.commit(self.epoch, batch.clone()) {
            Ok(committed) => {
                self.moves_again(out);
                self.base = committed.received;
                self.stored = committed.stored;
                out.push(Output::Ack { seq, bytes: batch.received });
                true
            }
            Err(_) if is_broken(Rule::FullIsNotStored) => {
                out.push(Output::Ack { seq, bytes: batch.received });
                true
            }
            Err(error) => {
                self.failed(error, out, |this| this.batch = Some((batch, seq)));
                false
            }
        }
    }

    /// What an error of the store means for the stream. `keep` puts back what is to be tried again.
    fn failed(&mut self, error: CommitError, out: &mut Vec<Output>, keep: impl FnOnce(&mut Self)) {
        match error {
            CommitError::Fenced { .. } => {
                self.over = true;
                out.push(Output::Fenced);
            }
            // What the operating system refuses now it may allow later; all else needs a person, or never gets better.
            CommitError::Full { .. } | CommitError::Store(StoreError::Io { .. }) => {
                keep(self);
                if !std::mem::replace(&mut self.stalled, true) {
                    warn!("{error}; the site waits, and the same bytes are stored as soon as it is possible");
                    out.push(Output::Stalled(Some(error.to_string())));
                }
            }
            error => self.spent(error.to_string(), out),
        }
    }

    fn record_end(&mut self, end: wire::End, out: &mut Vec<Output>) {
        if end.base != self.base || !self.parts.is_empty() {
            return self.spent(format!("the end for byte {} came, and the stream is at {}", end.base, self.base), out);
        }
        for gap in &end.gaps {
            self.step(ReceiverWake::Lost(gap.clone()), out);
        }
        if self.over {
            return;
        }
        let state = self.log.state();
        let (kind, reason) = match (&end.aborted, state.end) {
            // It has given up before it sent anything new: what ended stays as it ended.
            (Some(reason), Some(stands)) => {
                let words = format!("the site sends nothing more: {}", crate::policy::guest::printable(reason));
                return match self.log.end(self.epoch, stands, Vec::new()) {
                    Ok(_) => {
                        self.over = true;
                        out.push(Output::Left(words));
                    }
                    Err(error) => self.spent(error.to_string(), out),
                };
            }
            (Some(reason), None) => (EndKind::Aborted, crate::policy::guest::printable(reason)),
            (None, _) if end.never_there && self.stored == 0 => (EndKind::Incomplete, "the log was never there".into()),
            (None, _) if state.gaps.is_empty() && end.gaps.is_empty() => (EndKind::Complete, String::new()),
            (None, _) => (EndKind::Incomplete, String::new()),
        };
        let recorded = wire::RecordedEnd { kind: kind.into(), reason: reason.clone() };
        if is_broken(Rule::EndIsRecorded) {
            self.over = true;
            out.push(Output::Ended(kind, reason));
            return;
        }
        match self.log.end(self.epoch, recorded, end.gaps.clone()) {
            Ok(_) => {
                self.moves_again(out);
                self.over = true;
                out.push(Output::Ended(kind, reason));
            }
            Err(error) => self.failed(error, out, |this| this.end = Some(end)),
        }
    }

    /// A step without data.
    fn step(&mut self, wake: ReceiverWake, out: &mut Vec<Output>) {
        if self.over {
            return;
        }
        match self.run_policy(wake, self.stored) {
            Ok(verdict) => match verdict.next {
                ReceiverNext::Wait(timer) => self.timer = timer,
                ReceiverNext::Close(kind, reason) => self.close(kind, reason, out),
            },
            Err(fault) => self.spent(fault.to_string(), out),
        }
    }

    /// The policy ends the stream.
    fn close(&mut self, kind: EndKind, mut reason: String, out: &mut Vec<Output>) {
        if kind == EndKind::Idle && reason.is_empty() {
            reason = super::settle::silent_for(Duration::from_nanos(self.idle_timeout));
        }
        let recorded = wire::RecordedEnd { kind: kind.into(), reason: reason.clone() };
        match self.log.end(self.epoch, recorded, Vec::new()) {
            Ok(state) => {
                self.moves_again(out);
                self.over = true;
                // Where the site had said its word before, that stands.
                let end = state.end.unwrap_or_default();
                out.push(Output::Ended(end.kind(), end.reason));
            }
            Err(error) => self.failed(error, out, |this| this.closing = Some((kind, reason))),
        }
    }

    /// The store took something: whatever it was that kept it from it is over.
    fn moves_again(&mut self, out: &mut Vec<Output>) {
        if std::mem::take(&mut self.stalled) {
            self.heard = self.clock.now();
            out.push(Output::Stalled(None));
        }
    }

    fn spent(&mut self, reason: String, out: &mut Vec<Output>) {
        self.over = true;
        out.push(Output::Spent(reason));
    }
}

#[cfg(test)]
mod tests;
