//! One opening of one log on a task of its own: real time and the real connection around a [`Receiving`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tracing::{error, warn};

use super::receiving::{Output, Receiving};
use super::registry::{Busy, Takeover};
use super::telling::{Over, Telling, step};
use super::turnover::Turnover;
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
    pub telling: Telling,
    pub idle_timeout: Duration,
    pub input: mpsc::UnboundedReceiver<Input>,
    /// Bytes that the connection handed on and that are not committed.
    pub waiting: Arc<AtomicU64>,
    pub to_site: FrameSender<ServerFrame>,
    pub takeover: oneshot::Receiver<Takeover>,
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
    /// The server is closed.
    Closing,
}

/// How the opening went.
enum Went {
    Ended(EndKind, String),
    TakenOver(Takeover),
    Spent(String),
    Left(String),
    /// The server is closed: the next one goes on where this one is.
    Closed,
}

impl LogTask {
    /// Runs the opening to its end.
    pub async fn run(mut self, receiving: Receiving) {
        let (over, receiving) = self.until_over(receiving).await;
        match over {
            Went::Ended(kind, reason) => self.ended(receiving, kind, reason).await,
            Went::TakenOver(takeover) => self.taken_over(takeover).await,
            Went::Closed => {}
            Went::Spent(reason) => {
                if receiving.is_some_and(|receiving| receiving.policy_failed()) {
                    self.turnover.struck(&self.telling.server, &self.telling.key, &reason);
                }
                self.spent(reason).await;
            }
            Went::Left(words) => {
                warn!("{}: {words}", self.telling.key);
                self.send(self.telling.closed(EndKind::Aborted, words)).await;
                let Telling { server, key, log, .. } = self.telling.clone();
                if let Err(defect) = turn(Turn::Long, false, move || server.tell_if_due(&key, &log)).await {
                    error!("{}: a defect while its end was told: {defect}", self.telling.key);
                }
            }
        }
        self.telling.server.registry.leave(&self.telling.key, self.telling.epoch);
    }

    async fn until_over(&mut self, receiving: Receiving) -> (Went, Option<Receiving>) {
        let server = self.telling.server.clone();
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
                    match self.turnover.successor(&server, &self.telling.key) {
                        Ok(None) => continue,
                        Ok(other) => successor = other,
                        // The site hears it when it opens the stream again.
                        Err(words) => return (Went::Spent(words), Some(receiving)),
                    }
                    false
                }
                Woken::TakenOver(takeover) => return (Went::TakenOver(takeover), None),
                Woken::Closing => return (Went::Closed, None),
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
            let short = successor.is_none() && bytes(&inputs) < SHORT_BYTES;
            let length = if short { Turn::Short } else { Turn::Long };
            let stepped = turn(length, waited, move || step(receiving, inputs, timer, successor)).await;
            let (mut now, outputs, replaced) = match stepped {
                Ok(stepped) => stepped,
                Err(defect) => {
                    error!("{}: a defect of the host: {defect}", self.telling.key);
                    return (Went::Spent("a defect of the server".into()), None);
                }
            };
            match replaced {
                Some((successor, Ok(()))) => self.turnover.accepted(successor.policy),
                Some((successor, Err(reason))) => {
                    self.turnover.refused(&server, &self.telling.key, &successor.policy, reason)
                }
                None => {}
            }
            if let Some(tried) = now.tried() {
                self.turnover.tried(&server, &self.telling.key, tried);
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
        let closing = self.telling.server.tasks.closing();
        tokio::pin!(closing);
        loop {
            tokio::select! {
                input = self.input.recv(), if attached => return match input {
                    Some(input) => Woken::Input(input),
                    None => Woken::Detached,
                },
                takeover = &mut self.takeover => return Woken::TakenOver(takeover.unwrap_or(Takeover::Nobody)),
                () = self.turnover.changed() => return Woken::Policies,
                () = &mut closing => return Woken::Closing,
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
        let told = self.telling.outputs(outputs);
        self.waiting.fetch_sub(told.committed, Ordering::Relaxed);
        if told.progressed {
            self.telling.server.committed();
            self.turnover.progressed(&self.telling.server, &self.telling.key);
        }
        for frame in told.frames {
            self.send(frame).await;
        }
        Some(match told.over? {
            Over::Ended(kind, reason) => Went::Ended(kind, reason),
            Over::Fenced => {
                // The newer one is heard, or its connection ends; or it is neither, and its site wants it no more.
                let takeover = tokio::select! {
                    takeover = &mut self.takeover => takeover,
                    () = tokio::time::sleep(self.idle_timeout) => Ok(Takeover::Nobody),
                    () = self.telling.server.tasks.closing() => return Some(Went::Closed),
                };
                Went::TakenOver(takeover.unwrap_or(Takeover::Nobody))
            }
            Over::Spent(reason) => Went::Spent(reason),
            Over::Left(words) => Went::Left(words),
        })
    }

    async fn send(&self, frame: server_frame::Frame) {
        // A site that is gone asks again when it comes back; one that does not read keeps no server from being closed.
        tokio::select! {
            _ = self.to_site.send(ServerFrame { frame: Some(frame) }) => {}
            () = self.telling.server.tasks.closing() => {}
        }
    }

    /// The end is recorded; now everyone is told.
    async fn ended(&self, receiving: Option<Receiving>, kind: EndKind, reason: String) {
        let (telling, words) = (self.telling.clone(), reason.clone());
        let closed = match turn(Turn::Long, false, move || telling.ended(receiving, kind, words)).await {
            Ok(closed) => closed,
            Err(defect) => {
                error!("{}: a defect while its end was handled: {defect}", self.telling.key);
                self.telling.closed(kind, reason)
            }
        };
        self.send(closed).await;
    }

    async fn taken_over(&self, takeover: Takeover) {
        if let Some(closed) = self.telling.taken_over(takeover) {
            self.send(closed).await;
        }
    }

    /// The site is to open the stream again; if it does not, the stream is idle.
    async fn spent(&mut self, reason: String) {
        warn!("{}: {reason}; the site is told to open the stream again", self.telling.key);
        self.send(self.telling.closed(EndKind::Failed, reason)).await;
        tokio::select! {
            takeover = &mut self.takeover => self.taken_over(takeover.unwrap_or(Takeover::Nobody)).await,
            () = self.telling.server.tasks.closing() => {}
            () = tokio::time::sleep(self.idle_timeout) => {
                let Telling { server, key, log, epoch, .. } = &self.telling;
                server.clone().close_idle(key, log, *epoch, self.idle_timeout).await;
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
