//! The server's process: the very parts that a real one runs on tasks, on the simulated disk, time and network.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

use super::disk::SimulatedDisk;
use super::policies::Policies;
use super::time::{MS, SimulatedTime};
use super::witness::Witness;
use crate::clock::Clock;
use crate::names::{LogKey, SiteName};
use crate::policy::Kind;
use crate::server::opening::Opening;
use crate::server::receiving::Receiving;
use crate::server::registry::{Registry, Takeover};
use crate::server::telling::{Over, Telling, step};
use crate::server::{Ended, IDLE_TIMEOUT, Inner, Input};
use crate::store::boot::Boot;
use crate::store::{Durability, LogState, Store, StoreError, StoredLog};
use crate::wire::{self, server_frame, site_frame};

/// How often a store that could not take something is tried again, as a real server does.
const TRY_AGAIN: u64 = 500 * MS;

/// Logs that were open when a server before this one ended, with their epochs.
type LeftBehind = Vec<(LogKey, Arc<StoredLog>, u64)>;

/// How long an opening does not know what has become of it: as long as a slow turn of it takes.
const TAKES_OVER: u64 = 200 * MS;

/// One opening.
struct Task {
    telling: Telling,
    receiving: Option<Receiving>,
    takeover: oneshot::Receiver<Takeover>,
    connection: u64,
    /// When to step it although nothing came.
    wake_at: u64,
}

/// What leaves the server: to which connection.
pub(super) type Answers = Vec<(u64, server_frame::Frame)>;

/// A running server.
pub(super) struct Server {
    inner: Arc<Inner>,
    disk: SimulatedDisk,
    time: SimulatedTime,
    tasks: Vec<Task>,
    /// Logs of the process before, to be closed at this time unless somebody comes back.
    left_behind: Option<(u64, LeftBehind)>,
    ended: Arc<Mutex<Vec<Ended>>>,
    last: Option<LogState>,
    /// When openings learn that others have taken over.
    take_over_at: Option<u64>,
    witness: Witness,
    /// Whether the policy is tried: its last word is heard here then, and changes nothing.
    tried: bool,
}

impl Server {
    /// Starts one on this disk.
    pub fn start(
        disk: &SimulatedDisk,
        time: &SimulatedTime,
        boot: u8,
        durability: Durability,
        policies: &Policies,
        witness: &Witness,
    ) -> Result<Self, StoreError> {
        let disk = disk.next_process();
        let wall = time.clone();
        let now = move || std::time::UNIX_EPOCH + Duration::from_nanos(wall.wall());
        let store = Store::open_alone(
            Path::new("store"),
            Box::new(disk.clone()),
            durability,
            Boot::simulated(boot),
            Box::new(now),
        )?;
        let ended: Arc<Mutex<Vec<Ended>>> = Arc::default();
        let told = ended.clone();
        let on_ended = move |end: &Ended| told.lock().unwrap_or_else(PoisonError::into_inner).push(end.clone());
        let inner = Arc::new(Inner::on(store, policies.receivers(witness), Box::new(on_ended), Arc::new(time.clone())));
        let left = inner.left_behind();
        let close_at = time.now() + nanoseconds(IDLE_TIMEOUT);
        Ok(Self {
            inner,
            disk,
            time: time.clone(),
            tasks: Vec::new(),
            left_behind: Some((close_at, left)),
            ended,
            last: None,
            take_over_at: None,
            witness: witness.clone(),
            tried: policies.tried() == Some(Kind::Receiver),
        })
    }

    /// Whether its disk has killed it.
    pub fn was_killed(&self) -> bool {
        self.disk.was_killed()
    }

    /// What has ended since this was asked last.
    pub fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut *self.ended.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// How the only log stands, once it was opened.
    pub fn state(&self) -> Option<LogState> {
        self.tasks.last().map(|task| task.telling.log.state()).or_else(|| self.last.clone())
    }

    /// When to call [`tick`](Self::tick).
    pub fn wake_at(&self) -> u64 {
        let left = self.left_behind.as_ref().map_or(u64::MAX, |(at, _)| *at);
        let take_over = self.take_over_at.unwrap_or(u64::MAX);
        self.tasks.iter().map(|task| task.wake_at).min().unwrap_or(u64::MAX).min(left).min(take_over)
    }

    /// Takes the frames that came over a connection at one moment.
    pub fn take(&mut self, connection: u64, site: &SiteName, frames: Vec<site_frame::Frame>) -> Answers {
        let mut answers = Answers::new();
        let mut inputs: Vec<Input> = Vec::new();
        for frame in frames {
            match frame {
                site_frame::Frame::Open(open) => {
                    self.hand_on(connection, std::mem::take(&mut inputs), &mut answers);
                    self.open(connection, site, open, &mut answers);
                }
                site_frame::Frame::Data(data) => {
                    if self.feeds(connection, data.stream, data.epoch) {
                        inputs.push(Input::Data(Box::new(data)));
                    }
                }
                site_frame::Frame::End(end) => {
                    if self.feeds(connection, end.stream, end.epoch) {
                        inputs.push(Input::End(end));
                    }
                }
                site_frame::Frame::Beat(beat) => {
                    inputs.push(Input::Beat);
                    answers.push((connection, server_frame::Frame::Beat(beat)));
                }
                site_frame::Frame::Ready(ready) => {
                    if self.feeds(connection, ready.stream, ready.epoch) {
                        self.about(connection, Registry::heard);
                    }
                }
                site_frame::Frame::Hello(_) => {}
            }
        }
        self.hand_on(connection, inputs, &mut answers);
        answers
    }

    /// A connection is gone.
    pub fn gone(&mut self, connection: u64) {
        self.about(connection, Registry::detached);
    }

    /// Tells the registry of what the connection has open. As in a real server, an older one learns of it a moment later.
    fn about(&mut self, connection: u64, tell: impl Fn(&Registry, &LogKey, u64)) {
        if let Some(task) = self.tasks.iter().rev().find(|task| task.connection == connection) {
            tell(&self.inner.registry, &task.telling.key, task.telling.epoch);
            self.take_over_at = Some(self.time.now() + TAKES_OVER);
        }
    }

    /// Whether a frame under this epoch is for the opening that the connection made last.
    fn feeds(&self, connection: u64, stream: u32, epoch: u64) -> bool {
        let last = self.tasks.iter().rev().find(|task| task.connection == connection);
        last.is_some_and(|task| task.telling.stream == stream && task.telling.epoch == epoch)
    }

    fn open(&mut self, connection: u64, site: &SiteName, open: wire::Open, answers: &mut Answers) {
        let (stream, instance) = (open.stream, open.instance.clone());
        match self.inner.open(site, open) {
            Ok(Opening { key, log, receiving, opened, same_stream, .. }) => {
                if opened.idle_timeout_ns == 0 {
                    self.witness.saw("it accepts a stream, and an idle timeout of 0 would close it at once");
                }
                let takeover = self.inner.registry.enter(&key, opened.epoch, &instance);
                let epoch = opened.epoch;
                answers.push((connection, server_frame::Frame::Opened(opened)));
                let telling = Telling { server: self.inner.clone(), key, log, stream, epoch, same_stream };
                let wake_at = receiving.wake_at();
                let task = Task { telling, receiving: Some(receiving), takeover, connection, wake_at };
                self.tasks.push(task);
            }
            Err(refused) => {
                let refused = wire::Refused { reason: refused.words, retry_after_ns: refused.retry_after };
                let frame = wire::OpenRefused { stream, refused: Some(refused) };
                answers.push((connection, server_frame::Frame::OpenRefused(frame)));
            }
        }
    }

    /// An opening is over: those that it has fenced off learn of it a moment later.
    fn leave(&mut self, telling: &Telling) {
        self.inner.registry.leave(&telling.key, telling.epoch);
        self.take_over_at = Some(self.time.now() + TAKES_OVER);
    }

    /// Openings learn what has become of them.
    fn take_over(&mut self, answers: &mut Answers) {
        let mut index = 0;
        while index < self.tasks.len() {
            match self.tasks[index].takeover.try_recv() {
                Err(TryRecvError::Empty) => index += 1,
                takeover => {
                    let takeover = takeover.unwrap_or(Takeover::Nobody);
                    let task = self.tasks.remove(index);
                    let closed = task.telling.taken_over(takeover);
                    answers.extend(closed.map(|frame| (task.connection, frame)));
                    self.leave(&task.telling);
                }
            }
        }
    }

    fn hand_on(&mut self, connection: u64, inputs: Vec<Input>, answers: &mut Answers) {
        if inputs.is_empty() {
            return;
        }
        if let Some(index) = self.tasks.iter().rposition(|task| task.connection == connection) {
            self.step(index, inputs, false, answers);
        }
    }

    /// Its time has come.
    pub fn tick(&mut self) -> Answers {
        let mut answers = Answers::new();
        let now = self.time.now();
        if self.take_over_at.take_if(|at| *at <= now).is_some() {
            self.take_over(&mut answers);
        }
        let due: Vec<u64> =
            self.tasks.iter().filter(|task| task.wake_at <= now).map(|task| task.telling.epoch).collect();
        for epoch in due {
            if let Some(index) = self.tasks.iter().position(|task| task.telling.epoch == epoch) {
                self.step(index, Vec::new(), true, &mut answers);
            }
        }
        if self.left_behind.as_ref().is_some_and(|(at, _)| *at <= now)
            && let Some((_, left)) = self.left_behind.take()
        {
            for (key, log, epoch) in left {
                if !self.inner.registry.is_live(&key) {
                    self.inner.end_idle(&key, &log, epoch, IDLE_TIMEOUT);
                }
            }
        }
        answers
    }

    fn step(&mut self, index: usize, inputs: Vec<Input>, timer: bool, answers: &mut Answers) {
        let task = &mut self.tasks[index];
        let Some(receiving) = task.receiving.take() else {
            // It was spent, and the site has not come back.
            if timer {
                let task = self.tasks.remove(index);
                let Telling { server, key, log, epoch, .. } = &task.telling;
                server.end_idle(key, log, *epoch, IDLE_TIMEOUT);
                self.leave(&task.telling);
            }
            return;
        };
        let (receiving, outputs, _) = step(receiving, inputs, timer, None);
        let told = task.telling.outputs(outputs);
        if receiving.policy_failed()
            && let Some(Over::Spent(reason)) = &told.over
        {
            self.witness.saw(reason);
        }
        let connection = task.connection;
        answers.extend(told.frames.into_iter().map(|frame| (connection, frame)));
        let now = self.time.now();
        match told.over {
            None => {
                task.wake_at = receiving.wake_at();
                if receiving.is_stalled() {
                    task.wake_at = task.wake_at.min(now + TRY_AGAIN);
                }
                task.receiving = Some(receiving);
            }
            Some(Over::Ended(kind, reason)) => {
                let task = self.tasks.remove(index);
                let receiving = if self.tried {
                    if let Err(fault) = receiving.into_policy().finish(kind, &reason) {
                        self.witness.saw(fault);
                    }
                    None
                } else {
                    Some(receiving)
                };
                answers.push((connection, task.telling.ended(receiving, kind, reason)));
                self.last = Some(task.telling.log.state());
                self.leave(&task.telling);
            }
            // What has become of it is told when the newer opening is heard, or its connection gone.
            Some(Over::Fenced) => task.wake_at = u64::MAX,
            Some(Over::Spent(reason)) => {
                answers.push((connection, task.telling.closed(wire::EndKind::Failed, reason)));
                task.wake_at = now + nanoseconds(IDLE_TIMEOUT);
            }
            Some(Over::Left(_)) => {
                let task = self.tasks.remove(index);
                self.leave(&task.telling);
            }
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
