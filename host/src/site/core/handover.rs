//! What another policy finds when it takes over: where the stream stands, and what was sent and is not known to have arrived.

use super::Core;
use crate::policy::Digest;
use crate::site::guardian::Passed;
use crate::wire;

/// Where the numbering of frames stood.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    seq: u64,
    base: u64,
}

impl Core {
    /// The policy is another one from the next range on.
    pub fn set_policy(&mut self, policy: Digest) {
        self.policy_due |= policy != self.policy;
        self.policy = policy;
    }

    /// Nothing is on its way, so what was queued is what the server has: [`resume`](StreamerHost::resume) goes on from
    /// there. Returns where that is.
    pub fn settle(&mut self) -> Option<(u64, u64, u64)> {
        if let Some(queued_to) = self.queued_to.take() {
            self.stored = Some(queued_to);
            self.ended = false;
        }
        self.stored.as_ref().and_then(|progress| progress.at.as_ref()).map(|at| (at.device, at.inode, at.offset))
    }

    /// Where a step begins whose work may have to be taken back. Nothing is on its way.
    pub fn mark(&self) -> Mark {
        Mark { seq: self.seq, base: self.base }
    }

    /// Takes back what was queued since the mark, of which nothing was sent.
    pub fn undo(&mut self, mark: Mark) {
        let opening = self.opening;
        let (reached, acknowledged) = (self.settled_at(), self.acknowledged);
        self.closed();
        self.opening = opening;
        (self.seq, self.base, self.acknowledged, self.reached) = (mark.seq, mark.base, acknowledged, reached);
        self.policy_due = true;
    }

    fn settled_at(&self) -> Option<wire::Position> {
        self.stored.as_ref().and_then(|progress| progress.at)
    }

    /// What was sent and not acknowledged; with what still waits, if that counts as sent.
    pub fn in_doubt(&self, waiting_too: bool) -> Option<Passed> {
        let waiting = self.outbox.iter().find_map(|frame| match frame {
            wire::site_frame::Frame::Data(data) if !waiting_too => Some(data.base),
            _ => None,
        });
        let (from, to) = (self.acknowledged, waiting.unwrap_or(self.base));
        let sent = self.opening.is_some() && to > from;
        sent.then_some(Passed { from, to, reached: None, acknowledged: false, policy: self.policy })
    }
}
