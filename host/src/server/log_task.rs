//! One opening of one log on a task of its own: real time and the real connection around a [`Receiving`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::Inner;
use super::ended::Ended;
use super::receiving::{Output, Receiving};
use super::registry::{Busy, Takeover};
use super::turnover::{Successor, Turnover};
use crate::names::LogKey;
use crate::store::StoredLog;
use crate::transport::FrameSender;
use crate::turn::{SHORT_BYTES, Turn, awaited, turn};
use crate::wire::{self, EndKind, ServerFrame, server_frame};

/// How often a store that could not take something is tried again.
const TRY_AGAIN: Duration = Duration::from_millis(500);
/// A log that sent nothing for so long leaves its share of the pool to the others.
const QUIET: Duration = Duration::from_secs(1);

/// What the connection hands on.
pub enum Input {
    Data(Box<wire::Data>),
    End(wire::End),
    Beat,
}

/// One opening.
pub struct LogTask {
    pub server: Arc<Inner>,
    pub key: LogKey,
    pub log: Arc<StoredLog>,
    pub stream: u32,
    pub epoch: u64,
    pub idle_timeout: Duration,
    pub input: mpsc::UnboundedReceiver<Input>,
    /// Bytes that the connection handed on and that are not committed.
    pub waiting: Arc<AtomicU64>,
    pub to_site: FrameSender<ServerFrame>,
    pub takeover: oneshot::Receiver<Takeover>,
    /// Whether the same run of the site had it open before.
    pub same_stream: bool,
    pub turnover: Turnover,
}

/// What woke the task.
enum Woken {
    Input(Input),
    Detached,
    TakenOver(Takeover),
    Timer,
    /// The server's policies changed.
    Policies,
}

/// How the opening went.
enum Went {
    Ended(EndKind, String),
    TakenOver(Takeover),
    Spent(String),
}

impl LogTask {
    /// Runs the opening to its end.
    pub async fn run(mut self, receiving: Receiving) {
        let (over, receiving) = self.until_over(receiving).await;
        match over {
            Went::Ended(kind, reason) => self.ended(receiving, kind, reason).await,
            Went::TakenOver(takeover) => self.taken_over(takeover).await,
            Went::Spent(reason) => {
                if receiving.is_some_and(|receiving| receiving.policy_failed()) {
                    self.turnover.struck(&self.server, &self.key, &reason);
                }
                self.spent(reason).await;
            }
        }
        self.server.registry.leave(&self.key, self.epoch);
    }

    async fn until_over(&mut self, receiving: Receiving) -> (Went, Option<Receiving>) {
        let server = self.server.clone();
        let mut busy = Busy::new(&server.registry);
        let mut receiving = receiving;
        let mut attached = true;
        loop {
            let mut pause = Duration::from_nanos(receiving.wake_at().saturating_sub(server.clock.now()));
            if receiving.is_stalled() {
                pause = pause.min(TRY_AGAIN);
            }
            let (woken, waited) = awaited(self.next(pause, attached, &mut busy)).await;
            let mut inputs = Vec::new();
            let mut successor = None;
            let timer = match woken {
                Woken::Policies => {
                    match self.turnover.successor(&server, &self.key) {
                        Ok(None) => continue,
                        Ok(other) => successor = other,
                        // The site hears it when it opens the stream again.
                        Err(words) => return (Went::Spent(words), Some(receiving)),
                    }
                    false
                }
                Woken::TakenOver(takeover) => return (Went::TakenOver(takeover), None),
                Woken::Detached => {
                    attached = false;
                    continue;
                }
                Woken::Timer => true,
                Woken::Input(first) => {
                    inputs.push(first);
                    // All that is there makes one batch.
                    while let Ok(more) = self.input.try_recv() {
                        inputs.push(more);
                    }
                    busy.set(true);
                    false
                }
            };
            let short = waited && successor.is_none() && bytes(&inputs) < SHORT_BYTES;
            let length = if short { Turn::Short } else { Turn::Long };
            let stepped = turn(length, move || step(receiving, inputs, timer, successor)).await;
            let (mut now, outputs, replaced) = match stepped {
                Ok(stepped) => stepped,
                Err(defect) => {
                    error!("{}: a defect of the host: {defect}", self.key);
                    return (Went::Spent("a defect of the server".into()), None);
                }
            };
            match replaced {
                Some((successor, Ok(()))) => self.turnover.accepted(successor.policy),
                Some((successor, Err(reason))) => self.turnover.refused(&server, &self.key, &successor.policy, reason),
                None => {}
            }
            if let Some(tried) = now.tried() {
                self.turnover.tried(&server, &self.key, tried);
            }
            receiving = now;
            if let Some(over) = self.tell(outputs).await {
                return (over, Some(receiving));
            }
        }
    }

    async fn next(&mut self, pause: Duration, attached: bool, busy: &mut Busy<'_>) -> Woken {
        let timer = tokio::time::sleep(pause);
        tokio::pin!(timer);
        let quiet = tokio::time::sleep(QUIET);
        tokio::pin!(quiet);
        let mut loud = true;
        loop {
            tokio::select! {
                input = self.input.recv(), if attached => return match input {
                    Some(input) => Woken::Input(input),
                    None => Woken::Detached,
                },
                takeover = &mut self.takeover => return match takeover {
                    Ok(takeover) => Woken::TakenOver(takeover),
                    // The registry keeps the sender for as long as this opening is entered.
                    Err(_) => Woken::TakenOver(Takeover { same_host: true }),
                },
                () = self.turnover.changed() => return Woken::Policies,
                () = &mut timer => return Woken::Timer,
                () = &mut quiet, if loud => {
                    busy.set(false);
                    loud = false;
                }
            }
        }
    }

    /// Sends what the site should know; says when it is over.
    async fn tell(&mut self, outputs: Vec<Output>) -> Option<Went> {
        let mut acknowledged = None;
        let mut over = None;
        for output in outputs {
            match output {
                Output::Ack { seq, bytes } => {
                    self.waiting.fetch_sub(bytes, Ordering::Relaxed);
                    acknowledged = Some(seq);
                }
                Output::Stalled(reason) => {
                    self.send(server_frame::Frame::Stalled(wire::Stalled { stream: self.stream, reason })).await;
                }
                Output::Ended(kind, reason) => over = Some(Went::Ended(kind, reason)),
                Output::Fenced => {
                    let takeover = (&mut self.takeover).await;
                    over = Some(Went::TakenOver(takeover.unwrap_or(Takeover { same_host: true })));
                }
                Output::Spent(reason) => over = Some(Went::Spent(reason)),
            }
        }
        if let Some(seq) = acknowledged {
            self.server.committed();
            self.turnover.progressed(&self.server, &self.key);
            let credit = self.server.registry.credit();
            let ack = wire::Ack { stream: self.stream, epoch: self.epoch, seq, credit };
            self.send(server_frame::Frame::Ack(ack)).await;
        }
        over
    }

    async fn send(&self, frame: server_frame::Frame) {
        // A site that is gone asks again when it comes back.
        let _ = self.to_site.send(ServerFrame { frame: Some(frame) }).await;
    }

    async fn close(&self, kind: EndKind, reason: String) {
        let state = self.log.state();
        let closed = wire::Closed {
            stream: self.stream,
            epoch: self.epoch,
            kind: kind.into(),
            reason,
            stored: state.stored,
            gaps: state.gaps,
        };
        self.send(server_frame::Frame::Closed(closed)).await;
    }

    /// The end is recorded; now everyone is told.
    async fn ended(&self, receiving: Option<Receiving>, kind: EndKind, reason: String) {
        let (server, key, log, same_stream) =
            (self.server.clone(), self.key.clone(), self.log.clone(), self.same_stream);
        let (epoch, words) = (self.epoch, reason.clone());
        let policy = receiving.map(Receiving::into_policy);
        let settled = turn(Turn::Long, move || {
            server.settle(&key, &log, epoch, policy, kind, words, same_stream);
        });
        if let Err(defect) = settled.await {
            error!("{}: a defect while its end was handled: {defect}", self.key);
        }
        self.close(kind, reason).await;
    }

    async fn taken_over(&self, takeover: Takeover) {
        if takeover.same_host {
            return;
        }
        let reason = "another host streams this log now".to_owned();
        let ended: Ended = self.server.ended(&self.key, &self.log, EndKind::Superseded, reason.clone(), false);
        (self.server.on_ended)(&ended);
        self.close(EndKind::Superseded, reason).await;
    }

    /// The site is to open the stream again; if it does not, the stream is idle.
    async fn spent(&mut self, reason: String) {
        warn!("{}: {reason}; the site is told to open the stream again", self.key);
        self.close(EndKind::Failed, reason).await;
        tokio::select! {
            takeover = &mut self.takeover => if let Ok(takeover) = takeover {
                self.taken_over(takeover).await;
            },
            () = tokio::time::sleep(self.idle_timeout) => {
                self.server.clone().close_idle(&self.key, &self.log, self.epoch, self.idle_timeout).await;
            }
        }
    }
}

/// How much is to be stored.
fn bytes(inputs: &[Input]) -> u64 {
    let length = |input: &Input| match input {
        Input::Data(data) => u64::from(data.length),
        Input::End(_) | Input::Beat => 0,
    };
    inputs.iter().map(length).sum()
}

/// One turn of the opening.
fn step(mut receiving: Receiving, inputs: Vec<Input>, timer: bool, successor: Option<Successor>) -> Stepped {
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

/// What a turn comes to; with what was to take over, and whether it does.
type Stepped = (Receiving, Vec<Output>, Option<(Successor, Result<(), String>)>);
