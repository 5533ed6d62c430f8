//! What the site is told of an opening, and what becomes of the log when the opening is over.
//!
//! Without task or timer: [`log_task`](super::log_task) runs it on the real connection.

use std::sync::Arc;

use super::Inner;
use super::ended::Ended;
use super::log_task::Input;
use super::receiving::{Output, Receiving};
use super::registry::Takeover;
use super::turnover::Successor;
use crate::names::LogKey;
use crate::store::StoredLog;
use crate::wire::{self, EndKind, server_frame::Frame};

/// One opening, as the site hears of it.
#[derive(Clone)]
pub struct Telling {
    pub server: Arc<Inner>,
    pub key: LogKey,
    pub log: Arc<StoredLog>,
    pub stream: u32,
    pub epoch: u64,
    /// Whether the same run of the site had it open before.
    pub same_stream: bool,
}

/// What a turn came to.
#[derive(Default)]
pub struct Told {
    /// For the site, in order.
    pub frames: Vec<Frame>,
    /// Bytes that were committed.
    pub committed: u64,
    /// Whether anything was committed, be it a range without bytes.
    pub progressed: bool,
    /// Whether and how the opening is over.
    pub over: Option<Over>,
}

/// How an opening is over.
pub enum Over {
    /// Its end is recorded.
    Ended(EndKind, String),
    /// The store refused it, since a newer one has been recorded: how that one took over is told in a moment.
    Fenced,
    /// The site is to open the stream again.
    Spent(String),
    /// The site has left it, in words.
    Left(String),
}

impl Telling {
    /// What these outputs mean for the site.
    pub fn outputs(&self, outputs: Vec<Output>) -> Told {
        let mut told = Told::default();
        let mut acknowledged = None;
        for output in outputs {
            match output {
                Output::Ack { seq, bytes } => {
                    told.committed += bytes;
                    acknowledged = Some(seq);
                }
                Output::Stalled(reason) => {
                    told.frames.push(Frame::Stalled(wire::Stalled { stream: self.stream, reason }));
                }
                Output::Ended(kind, reason) => told.over = Some(Over::Ended(kind, reason)),
                Output::Fenced => told.over = Some(Over::Fenced),
                Output::Spent(reason) => told.over = Some(Over::Spent(reason)),
                Output::Left(words) => told.over = Some(Over::Left(words)),
            }
        }
        if let Some(seq) = acknowledged {
            told.progressed = true;
            let credit = self.server.registry.credit();
            told.frames.push(Frame::Ack(wire::Ack { stream: self.stream, epoch: self.epoch, seq, credit }));
        }
        told
    }

    /// The end is recorded; now everyone is told, the site last, with what this returns. Blocks on files and on the policy.
    pub fn ended(&self, receiving: Option<Receiving>, kind: EndKind, reason: String) -> Frame {
        let policy = receiving.map(Receiving::into_policy);
        self.server.settle(&self.key, &self.log, self.epoch, policy, kind, reason.clone(), self.same_stream);
        self.closed(kind, reason)
    }

    /// Another opening has taken over. Returns what this one's site hears of it: a host that goes on in the newer one, nothing.
    pub fn taken_over(&self, takeover: Takeover) -> Option<Frame> {
        match takeover {
            Takeover::SameHost => return None,
            Takeover::OtherHost => {}
            Takeover::Nobody => {
                let reason = "an opening that came late, and that nobody is behind, had fenced this one off".to_owned();
                return Some(self.closed(EndKind::Failed, reason));
            }
        }
        let reason = "another host streams this log now".to_owned();
        let ended: Ended = self.server.ended(&self.key, &self.log, EndKind::Superseded, reason.clone(), false);
        (self.server.on_ended)(&ended);
        Some(self.closed(EndKind::Superseded, reason))
    }

    /// The opening is over in this way, for the site.
    pub fn closed(&self, kind: EndKind, reason: String) -> Frame {
        let state = self.log.state();
        Frame::Closed(wire::Closed {
            stream: self.stream,
            epoch: self.epoch,
            kind: kind.into(),
            reason,
            stored: state.stored,
            gaps: state.gaps,
        })
    }
}

/// What a turn comes to; with what was to take over, and whether it does.
pub type Stepped = (Receiving, Vec<Output>, Option<(Successor, Result<(), String>)>);

/// One turn of an opening: what came for it, whether its time has come, and what is to take over.
pub fn step(mut receiving: Receiving, inputs: Vec<Input>, timer: bool, successor: Option<Successor>) -> Stepped {
    let mut outputs = Vec::new();
    let replaced = successor.map(|successor| {
        let replaced = receiving.replace(&successor, &mut outputs);
        (successor, replaced)
    });
    let mut beat = false;
    for input in inputs {
        match input {
            Input::Data(data) => receiving.data(*data),
            Input::End(end) => receiving.end(end),
            Input::Beat => beat = true,
        }
    }
    if receiving.has_work() {
        receiving.go_on(&mut outputs);
    }
    if beat {
        receiving.heartbeat(&mut outputs);
    }
    if timer {
        receiving.tick(&mut outputs);
    }
    (receiving, outputs, replaced)
}
