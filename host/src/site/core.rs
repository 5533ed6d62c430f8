//! What one stream offers its policy: the source behind, the window and the frames in front.
//!
//! No thread and no clock of its own: it is called from the policy's steps and from [`Driver`](super::driver::Driver),
//! and what it wants sent waits in its outbox.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::guardian::Passed;
use crate::broken::{Rule, is_broken};
use crate::clock::Clock;
use crate::policy::{Digest, SendError, Source, SourceFault, StreamerHost, Successor, Time, limits};
use crate::source::{self, FileRef, LogSource, SourceError, Stat};
use crate::wire;

mod handover;

/// The most bytes that one step may queue. A step is not interrupted, so that what it reads ahead is kept small; a
/// larger window is filled by several steps.
const STEP_BYTES: u64 = 1 << 20;

/// Bytes on their way to a server that is near: more than a round trip of some milliseconds takes at the speed of memory, and
/// more would only wait in the server's.
const NEAR: u64 = 16 << 20;

/// Ranges that may be sent and not acknowledged, for policies that skip much or send little at a time.
const RANGES_IN_FLIGHT: usize = 4096;

/// Gaps that a policy may report before it sends something; the source finds one at a time.
const GAPS: usize = 64;

/// The opening that frames are sent under.
#[derive(Debug, Clone, Copy)]
struct Opening {
    stream: u32,
    epoch: u64,
    credit: u64,
}

/// A range on its way: what its acknowledgement means.
struct InFlight {
    seq: u64,
    length: u64,
    file: FileRef,
    reached: u64,
    /// The bytes of the stream up to its end.
    end: u64,
    /// Device, inode and offset, as it is stored.
    at: Option<(u64, u64, u64)>,
}

/// One stream's source, window and outbox.
pub struct Core {
    source: LogSource,
    clock: Arc<dyn Clock>,
    policy: Digest,
    /// Whether the server is still to be told which policy sends.
    policy_due: bool,
    opening: Option<Opening>,
    /// What the server had stored at the opening.
    stored: Option<wire::Progress>,
    /// Whether the stream had ended before this opening.
    ended: bool,
    seq: u64,
    base: u64,
    /// What `base` was for the first byte that is not acknowledged.
    acknowledged: u64,
    /// What the last range of this opening reached.
    queued_to: Option<wire::Progress>,
    /// What the policy has last reached, over openings.
    reached: Option<wire::Position>,
    in_flight: VecDeque<InFlight>,
    unacknowledged: u64,
    /// What fills the link, whatever credit there is.
    enough: u64,
    /// Queued since the step began.
    queued: u64,
    /// Where the stream is: only the newest file takes positions, and they don't go back.
    current: Option<(FileRef, u64)>,
    parts: Vec<Bytes>,
    parts_length: u64,
    /// Lost at the source; goes out with the next range or the end.
    gaps: Vec<wire::Gap>,
    /// What the source found lost and the policy has not reported yet.
    gap_due: Option<wire::Gap>,
    /// Whether the source turned out to be another one than what is stored.
    different: Option<String>,
    /// Whether the policy found the window closed.
    pub(super) wants_window: bool,
    /// Frames that are to be sent, in order.
    pub(super) outbox: VecDeque<wire::site_frame::Frame>,
}

impl Core {
    pub fn new(source: LogSource, clock: Arc<dyn Clock>, policy: Digest) -> Self {
        Self {
            source,
            clock,
            policy,
            policy_due: true,
            opening: None,
            stored: None,
            ended: false,
            seq: 0,
            base: 0,
            acknowledged: 0,
            queued_to: None,
            reached: None,
            in_flight: VecDeque::new(),
            unacknowledged: 0,
            enough: u64::MAX,
            queued: 0,
            current: None,
            parts: Vec::new(),
            parts_length: 0,
            gaps: Vec::new(),
            gap_due: None,
            different: None,
            wants_window: false,
            outbox: VecDeque::new(),
        }
    }

    /// The server opened the stream: all that was sent before and is not in `opened` counts as never sent. Returns whether
    /// there was nothing of that sort: the server is where the policy is.
    pub fn opened(&mut self, opened: wire::Opened) -> bool {
        self.closed();
        let at = opened.progress.as_ref().and_then(|progress| progress.at);
        let same = at == self.reached;
        self.reached = at;
        self.policy_due = true;
        self.acknowledged = opened.received;
        self.opening = Some(Opening { stream: opened.stream, epoch: opened.epoch, credit: opened.credit });
        self.base = opened.received;
        self.stored = opened.progress;
        self.ended = opened.ended;
        same
    }

    /// The link is down, or the opening is over: nothing can be sent. Returns what was sent and not acknowledged.
    pub fn closed(&mut self) -> Option<Passed> {
        let in_doubt = self.in_doubt(false);
        self.queued_to = None;
        self.opening = None;
        self.seq = 0;
        self.in_flight.clear();
        self.unacknowledged = 0;
        self.current = None;
        self.parts.clear();
        self.parts_length = 0;
        self.gaps.clear();
        self.gap_due = None;
        self.wants_window = false;
        self.outbox.clear();
        in_doubt
    }

    /// The server has stored all ranges up to this frame. Returns which bytes of the stream that are.
    pub fn acknowledged(&mut self, ack: wire::Ack) -> Option<Passed> {
        let opening = self.opening.as_mut().filter(|opening| opening.epoch == ack.epoch)?;
        opening.credit = ack.credit;
        let mut last = None;
        while let Some(range) = self.in_flight.pop_front_if(|range| range.seq <= ack.seq) {
            self.unacknowledged -= range.length;
            last = Some(range);
        }
        let range = last?;
        self.source.acknowledged(range.file, range.reached);
        let from = std::mem::replace(&mut self.acknowledged, range.end);
        Some(Passed { from, to: range.end, reached: range.at, acknowledged: true, policy: self.policy })
    }

    /// Looks at the directory, so that files are opened when they are first seen, whatever the policy is waiting for.
    pub fn refresh(&mut self) -> Result<(), SourceError> {
        self.source.refresh()
    }

    /// Gives the next step its budget.
    pub fn begin_step(&mut self) {
        self.queued = 0;
        self.wants_window = false;
    }

    /// Whether the window takes a whole chunk. Less is not offered: small acknowledgements would make small frames, for
    /// ever.
    pub fn window_is_open(&self) -> bool {
        let chunk = u64::from(limits::CHUNK);
        let credit = self.credit();
        self.opening.is_some() && self.unacknowledged + chunk.min(credit) <= credit
    }

    /// How many bytes may be on their way.
    fn credit(&self) -> u64 {
        match self.opening {
            Some(_) if is_broken(Rule::WithinCredit) => u64::MAX / 2,
            opening => opening.map_or(0, |opening| opening.credit.min(self.enough)),
        }
    }

    /// Says whether the server is near.
    pub fn server_is_near(&mut self, near: bool) {
        self.enough = if near { NEAR } else { u64::MAX };
    }

    /// Why the source can't be what is stored, if it turned out so.
    pub fn different_source(&self) -> Option<&str> {
        self.different.as_deref()
    }

    /// Bytes that were sent, or are queued, and not acknowledged.
    pub fn unacknowledged(&self) -> u64 {
        self.unacknowledged
    }

    /// Whether everything that was queued is acknowledged.
    pub fn drained(&self) -> bool {
        self.in_flight.is_empty() && self.outbox.is_empty()
    }

    /// The epoch of the opening, while there is one.
    pub fn epoch(&self) -> Option<u64> {
        self.opening.map(|opening| opening.epoch)
    }

    /// Queues the end of the stream.
    pub fn end(&mut self, aborted: Option<String>) {
        let Some(opening) = self.opening else { return };
        let end = wire::End {
            stream: opening.stream,
            epoch: opening.epoch,
            base: self.base,
            gaps: std::mem::take(&mut self.gaps),
            aborted,
            never_there: !self.source.was_seen(),
        };
        self.outbox.push_back(wire::site_frame::Frame::End(end));
    }

    fn successor(&mut self, next: Result<source::Next, SourceError>) -> Result<Successor, SourceFault> {
        match next.map_err(|error| self.fault(error))? {
            source::Next::NoneYet => Ok(Successor::NoneYet),
            source::Next::Unread => Ok(Successor::Unread),
            source::Next::Found(found) => {
                self.current = Some((found.file, found.offset));
                self.gap_due = found.gap.clone();
                Ok(Successor::Found(Source { file: found.file, offset: found.offset, gap: found.gap }))
            }
        }
    }

    fn fault(&mut self, error: SourceError) -> SourceFault {
        match error {
            SourceError::Denied { .. } => SourceFault::Denied(error.to_string()),
            SourceError::DifferentSource { .. } => {
                let words = error.to_string();
                self.different = Some(words.clone());
                SourceFault::Other(words)
            }
            _ => SourceFault::Other(error.to_string()),
        }
    }

    /// What every end of a range is checked for.
    fn check(&mut self, file: FileRef, reached: u64) -> Result<Opening, SendError> {
        let opening = self.opening.ok_or(SendError::Disconnected)?;
        if self.gap_due.is_some() {
            return Err(SendError::GapUnreported);
        }
        match self.current {
            Some((current, from)) if current == file => {
                if reached < from {
                    return Err(SendError::BadPosition(format!("{reached} lies before {from}, which was reached")));
                }
            }
            _ => return Err(SendError::BadPosition("the file is not the current one".into())),
        }
        Ok(opening)
    }

    /// Queues the frames of one range; the last one carries where it ends.
    fn range(&mut self, last: Bytes, file: FileRef, reached: u64) -> Result<(), SendError> {
        let opening = self.check(file, reached)?;
        let length = self.parts_length + last.len() as u64;
        if length > u64::from(limits::RANGE) {
            return Err(SendError::TooLarge(limits::RANGE));
        }
        if (length > 0 && self.window() == 0) || self.in_flight.len() >= RANGES_IN_FLIGHT {
            self.wants_window = true;
            return Err(SendError::WindowFull);
        }
        let progress =
            self.source.progress_at(file, reached).map_err(|error| SendError::BadPosition(error.to_string()))?;
        let at = progress.at.as_ref().map(|at| (at.device, at.inode, at.offset));
        self.reached = progress.at;
        self.queued_to = Some(progress.clone());
        let mut parts = std::mem::take(&mut self.parts);
        self.parts_length = 0;
        parts.push(last);
        let mut reached_with = Some((progress, std::mem::take(&mut self.gaps)));
        let count = parts.len();
        for (index, payload) in parts.into_iter().enumerate() {
            let (progress, gaps) = if index + 1 == count { reached_with.take() } else { None }.unzip();
            self.frame(opening, payload, progress, gaps.unwrap_or_default());
        }
        self.in_flight.push_back(InFlight { seq: self.seq, length, file, reached, end: self.base, at });
        if is_broken(Rule::HoldUntilAcknowledged) {
            self.source.acknowledged(file, reached);
        }
        self.unacknowledged += length;
        self.queued += length;
        self.current = Some((file, reached));
        Ok(())
    }

    fn frame(&mut self, opening: Opening, payload: Bytes, reached: Option<wire::Progress>, gaps: Vec<wire::Gap>) {
        self.seq += 1;
        // With the range's last frame, as all that holds for the whole range.
        let tell = reached.is_some() && std::mem::take(&mut self.policy_due);
        let policy_digest = if tell { Bytes::copy_from_slice(self.policy.as_bytes()) } else { Bytes::new() };
        // A chunk is at most `limits::CHUNK` bytes.
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let data = wire::Data {
            stream: opening.stream,
            epoch: opening.epoch,
            seq: self.seq,
            base: self.base,
            payload,
            encoding: wire::Encoding::Plain.into(),
            length,
            reached,
            gaps,
            policy_digest,
        };
        self.base += u64::from(length);
        self.outbox.push_back(wire::site_frame::Frame::Data(data));
    }
}

impl Time for Core {
    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn wall(&self) -> u64 {
        self.clock.wall()
    }
}

impl StreamerHost for Core {
    fn resume(&mut self) -> Result<Successor, SourceFault> {
        self.parts.clear();
        self.parts_length = 0;
        self.gaps.clear();
        let next = self.source.resume(self.stored.as_ref(), self.ended);
        self.successor(next)
    }

    fn after(&mut self, file: FileRef) -> Result<Successor, SourceFault> {
        let next = self.source.after(file);
        self.successor(next)
    }

    fn stat(&mut self, file: FileRef) -> Result<Stat, SourceFault> {
        self.source.stat(file).map_err(|error| self.fault(error))
    }

    fn read(&mut self, file: FileRef, offset: u64, max: u32) -> Result<Bytes, SourceFault> {
        // What was read stays in memory until it is acknowledged, so reading has the window's bound too, and beyond it
        // what a policy has to see before it can send: a range.
        if self.source.unacknowledged() > self.credit() + u64::from(limits::RANGE) {
            return Err(SourceFault::Other("too much was read ahead of what is sent: send or skip first".into()));
        }
        self.source.read(file, offset, max).map_err(|error| self.fault(error))
    }

    fn window(&mut self) -> u64 {
        if self.opening.is_none() {
            return 0;
        }
        let free = if self.window_is_open() { self.credit() - self.unacknowledged } else { 0 };
        let window = free.min(STEP_BYTES.saturating_sub(self.queued));
        self.wants_window |= window == 0;
        window
    }

    fn send_part(&mut self, data: Bytes) -> Result<(), SendError> {
        if self.opening.is_none() {
            return Err(SendError::Disconnected);
        }
        let length = self.parts_length + data.len() as u64;
        if length > u64::from(limits::RANGE) {
            return Err(SendError::TooLarge(limits::RANGE));
        }
        self.parts_length = length;
        // Small parts are joined: each part is a frame.
        match self.parts.last_mut() {
            Some(last) if last.len() + data.len() <= limits::CHUNK as usize => {
                let mut joined = BytesMut::from(std::mem::take(last));
                joined.extend_from_slice(&data);
                *last = joined.freeze();
            }
            _ => self.parts.push(data),
        }
        Ok(())
    }

    fn send(&mut self, data: Bytes, file: FileRef, reached: u64) -> Result<(), SendError> {
        self.range(data, file, reached)
    }

    fn skip(&mut self, file: FileRef, reached: u64) -> Result<(), SendError> {
        self.range(Bytes::new(), file, reached)
    }

    fn report_gap(&mut self, gap: wire::Gap) -> Result<(), SendError> {
        if self.opening.is_none() {
            return Err(SendError::Disconnected);
        }
        if self.gaps.len() >= GAPS {
            self.wants_window = true;
            return Err(SendError::WindowFull);
        }
        // A gap that the host found is stored in the host's words, whatever the policy makes of it.
        self.gaps.push(self.gap_due.take().unwrap_or(gap));
        Ok(())
    }
}
