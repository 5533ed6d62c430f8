//! A streamer policy: linked once, then one instance per stream.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{HasSelf, InstancePre, Linker, Resource};

use super::bindings::stateful::exports::fedtail::policy::snapshot;
use super::bindings::streamer::exports::fedtail::policy::tailing;
use super::bindings::streamer::fedtail::policy::{gaps, log_source, transport};
use super::bindings::streamer::{StreamerPolicy as Bindings, StreamerPolicyIndices};
use super::chunk::Chunk;
use super::component::{Component, Digest};
use super::engine::Engine;
use super::error::{Fault, PolicyError};
use super::guest::{self, Guest, Time, printable};
use super::limits;
use super::machine::{Machine, Needs};
use super::wasi;
use crate::source::{FileRef, Stat};
use crate::wire;

mod handover;

pub use handover::ParkedInstance;

/// An open file of the granted log, as an instance holds it.
pub struct LogFile(FileRef);

/// Why the source could not be read.
#[derive(Debug, Clone)]
pub enum SourceFault {
    /// The host's user may not read it.
    Denied(String),
    /// Anything else, in words.
    Other(String),
}

/// What comes next in the source.
#[derive(Debug)]
pub enum Successor {
    /// Nothing yet.
    NoneYet,
    /// The file that was asked about has to be read to its end first.
    Unread,
    /// This one.
    Found(Source),
}

/// A file to go on with.
#[derive(Debug)]
pub struct Source {
    /// Which.
    pub file: FileRef,
    /// Where in it.
    pub offset: u64,
    /// What was lost on the way to it.
    pub gap: Option<wire::Gap>,
}

/// Why nothing was queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The window is full.
    WindowFull,
    /// The link is down.
    Disconnected,
    /// More than one range may carry.
    TooLarge(u32),
    /// The position is not one that the stream can have reached, in words.
    BadPosition(String),
    /// A gap has to be reported first.
    GapUnreported,
}

/// What one stream offers its streamer policy.
pub trait StreamerHost: Time + Send + 'static {
    /// Where to go on from what the server has.
    fn resume(&mut self) -> Result<Successor, SourceFault>;
    /// What comes after this file.
    fn after(&mut self, file: FileRef) -> Result<Successor, SourceFault>;
    /// A look at the file.
    fn stat(&mut self, file: FileRef) -> Result<Stat, SourceFault>;
    /// At most `max` bytes from `offset`.
    fn read(&mut self, file: FileRef, offset: u64, max: u32) -> Result<Bytes, SourceFault>;
    /// How many bytes the window takes now.
    fn window(&mut self) -> u64;
    /// Adds bytes to the range.
    fn send_part(&mut self, data: Bytes) -> Result<(), SendError>;
    /// Ends the range with these bytes.
    fn send(&mut self, data: Bytes, file: FileRef, reached: u64) -> Result<(), SendError>;
    /// Ends the range with no bytes.
    fn skip(&mut self, file: FileRef, reached: u64) -> Result<(), SendError>;
    /// Reports lost bytes.
    fn report_gap(&mut self, gap: wire::Gap) -> Result<(), SendError>;
}

/// A streamer policy's settings for one stream; see the contract.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Nanoseconds.
    pub liveness_interval: u64,
    /// Nanoseconds.
    pub poll_interval: u64,
    /// Read what is there and finish.
    pub once: bool,
    /// The site's own settings for the policy.
    pub custom: Vec<(String, String)>,
}

/// What the server has stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    /// Bytes in its store.
    pub stored: u64,
    /// Device, inode and offset in the source.
    pub reached: Option<(u64, u64, u64)>,
}

/// Why the policy is stepped.
#[derive(Debug, Clone, Copy)]
pub enum Wake {
    /// The server is there and has this much.
    Connected(Progress),
    /// The log or its directory changed.
    Changed,
    /// The window opened again.
    Writable,
    /// The time that was asked for has come.
    Timer,
    /// The job is ending.
    Stop,
}

/// What the policy waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Any wake, or this instant in monotonic nanoseconds.
    Wait(u64),
    /// All is sent.
    Finished,
}

/// A streamer policy, linked.
pub struct StreamerPolicy<H: 'static> {
    engine: Engine,
    machine: Arc<Machine>,
    linked: InstancePre<Guest<H>>,
    indices: Arc<Indices>,
    digest: Digest,
}

/// Where the component's exports are.
struct Indices {
    world: StreamerPolicyIndices,
    /// Of a policy that has state for its successor.
    snapshot: Option<snapshot::GuestIndices>,
}

impl<H: 'static> Clone for StreamerPolicy<H> {
    fn clone(&self) -> Self {
        Self {
            engine: self.engine.clone(),
            machine: self.machine.clone(),
            linked: self.linked.clone(),
            indices: self.indices.clone(),
            digest: self.digest,
        }
    }
}

impl<H: StreamerHost> StreamerPolicy<H> {
    /// Links a component of kind [`Kind::Streamer`](super::Kind::Streamer).
    pub fn link(engine: &Engine, component: &Component) -> Result<Self, PolicyError> {
        let link = || -> wasmtime::Result<_> {
            let mut linker = Linker::<Guest<H>>::new(&component.machine.wasmtime);
            Bindings::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
            if component.machine.needs == Needs::System {
                wasi::link(&mut linker)?;
            }
            let linked = linker.instantiate_pre(&component.compiled)?;
            let world = StreamerPolicyIndices::new(&linked)?;
            let snapshot = snapshot::GuestIndices::new(&linked).ok();
            Ok((linked, Arc::new(Indices { world, snapshot })))
        };
        let (linked, indices) = link()
            .map_err(|e| PolicyError::Link { file: component.file.clone(), reason: printable(&format!("{e:#}")) })?;
        let machine = component.machine.clone();
        Ok(Self { engine: engine.clone(), machine, linked, indices, digest: component.digest() })
    }

    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether it has state that it hands over when it is replaced.
    pub fn has_state(&self) -> bool {
        self.indices.snapshot.is_some()
    }

    /// Makes an instance and starts it. `stream` is what messages call it. Where it fails, the host comes back.
    pub fn start(&self, host: H, stream: &str, settings: &Settings) -> Result<StreamerInstance<H>, (H, Fault)> {
        let mut store = guest::store(&self.engine, &self.machine, host, self.digest, stream);
        match self.begin(&mut store, settings) {
            Ok((bindings, snapshot)) => Ok(StreamerInstance { store, bindings, snapshot }),
            Err(fault) => Err((into_host(store), fault)),
        }
    }

    fn begin(
        &self,
        store: &mut wasmtime::Store<Guest<H>>,
        settings: &Settings,
    ) -> Result<(Bindings, Option<snapshot::Guest>), Fault> {
        let instantiate = |store: &mut wasmtime::Store<Guest<H>>| {
            let instance = self.linked.instantiate(&mut *store)?;
            let bindings = self.indices.world.load(&mut *store, &instance)?;
            let snapshot = self.indices.snapshot.as_ref().map(|indices| indices.load(&mut *store, &instance));
            wasmtime::Result::Ok((bindings, snapshot.transpose()?))
        };
        let (bindings, snapshot) = guest::enter(store, instantiate).map_err(|e| match Fault::trap(&e) {
            Fault::Trapped(words) => Fault::Instantiate(words),
            other => other,
        })?;
        let settings = tailing::Settings {
            liveness_interval: settings.liveness_interval,
            poll_interval: settings.poll_interval,
            max_chunk_size: limits::CHUNK,
            once: settings.once,
            custom: settings.custom.clone(),
        };
        let started = guest::call(store, |store| bindings.fedtail_policy_tailing().call_start(store, &settings))?;
        started.map_err(|words| Fault::Gave(printable(&words)))?;
        Ok((bindings, snapshot))
    }
}

/// The host of an instance that is over.
fn into_host<H>(store: wasmtime::Store<Guest<H>>) -> H {
    store.into_data().host.take().expect("an instance that can be called has its host")
}

/// One stream's instance.
pub struct StreamerInstance<H: 'static> {
    store: wasmtime::Store<Guest<H>>,
    bindings: Bindings,
    snapshot: Option<snapshot::Guest>,
}

impl<H: StreamerHost> StreamerInstance<H> {
    /// Steps it. After a fault the instance is spent: take the host out of it and start a fresh one.
    pub fn step(&mut self, wake: Wake) -> Result<Next, Fault> {
        let wake = match wake {
            Wake::Connected(progress) => tailing::Wake::Connected(tailing::Progress {
                stored: progress.stored,
                reached: progress.reached.map(|(device, inode, offset)| log_source::Position {
                    file: log_source::FileId { device, inode },
                    offset,
                }),
            }),
            Wake::Changed => tailing::Wake::Changed,
            Wake::Writable => tailing::Wake::Writable,
            Wake::Timer => tailing::Wake::Timer,
            Wake::Stop => tailing::Wake::Stop,
        };
        let tailing = self.bindings.fedtail_policy_tailing();
        match guest::call(&mut self.store, |store| tailing.call_step(store, &wake))? {
            Ok(tailing::Next::Wait(at)) => Ok(Next::Wait(at)),
            Ok(tailing::Next::Finished) => Ok(Next::Finished),
            Err(words) => Err(Fault::Gave(printable(&words))),
        }
    }

    /// What the stream offers it.
    pub fn host(&mut self) -> &mut H {
        &mut self.store.data_mut().host
    }

    /// Ends the instance; none of its code runs any more.
    pub fn into_host(self) -> H {
        into_host(self.store)
    }
}

impl<H: StreamerHost> Guest<H> {
    fn successor(
        &mut self,
        found: Result<Successor, SourceFault>,
    ) -> wasmtime::Result<Result<log_source::Successor, log_source::SourceError>> {
        Ok(match found {
            Ok(Successor::NoneYet) => Ok(log_source::Successor::NoneYet),
            Ok(Successor::Unread) => Ok(log_source::Successor::Unread),
            Ok(Successor::Found(source)) => {
                let file = self.table.push(LogFile(source.file))?;
                let lost = source.gap.map(|gap| gap_to_guest(&gap));
                Ok(log_source::Successor::Next(log_source::Found { file, offset: source.offset, lost }))
            }
            Err(fault) => Err(fault.into()),
        })
    }
}

impl From<SourceFault> for log_source::SourceError {
    fn from(fault: SourceFault) -> Self {
        match fault {
            SourceFault::Denied(words) => Self::Denied(words),
            SourceFault::Other(words) => Self::Other(words),
        }
    }
}

impl From<SendError> for transport::SendError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::WindowFull => Self::WindowFull,
            SendError::Disconnected => Self::Disconnected,
            SendError::TooLarge(limit) => Self::TooLarge(limit),
            SendError::BadPosition(words) => Self::BadPosition(words),
            SendError::GapUnreported => Self::GapUnreported,
        }
    }
}

/// A gap as the contract has it.
pub(super) fn gap_to_guest(gap: &wire::Gap) -> gaps::Gap {
    let reason = match gap.reason() {
        wire::GapReason::Truncated => gaps::GapReason::Truncated,
        wire::GapReason::Deleted => gaps::GapReason::Deleted,
        wire::GapReason::Ambiguous => gaps::GapReason::Ambiguous,
        wire::GapReason::Unproven => gaps::GapReason::Unproven,
        wire::GapReason::Late => gaps::GapReason::Late,
        wire::GapReason::Unspecified => gaps::GapReason::Other(gap.words.clone()),
    };
    gaps::Gap { lost: gap.lost, reason }
}

/// A gap as the wire has it.
fn gap_from_guest(gap: gaps::Gap) -> wire::Gap {
    let (reason, words) = match gap.reason {
        gaps::GapReason::Truncated => (wire::GapReason::Truncated, String::new()),
        gaps::GapReason::Deleted => (wire::GapReason::Deleted, String::new()),
        gaps::GapReason::Ambiguous => (wire::GapReason::Ambiguous, String::new()),
        gaps::GapReason::Unproven => (wire::GapReason::Unproven, String::new()),
        gaps::GapReason::Late => (wire::GapReason::Late, String::new()),
        gaps::GapReason::Other(words) => (wire::GapReason::Unspecified, printable(&words)),
    };
    wire::Gap { lost: gap.lost, reason: reason.into(), words, at: 0 }
}

impl<H: StreamerHost> log_source::Host for Guest<H> {
    fn resume(&mut self) -> wasmtime::Result<Result<log_source::Successor, log_source::SourceError>> {
        self.call()?;
        let found = self.host.resume();
        self.successor(found)
    }

    fn after(
        &mut self,
        now: Resource<LogFile>,
    ) -> wasmtime::Result<Result<log_source::Successor, log_source::SourceError>> {
        self.call()?;
        let file = self.table.get(&now)?.0;
        let found = self.host.after(file);
        self.successor(found)
    }
}

impl<H: StreamerHost> log_source::HostLogFile for Guest<H> {
    fn stat(
        &mut self,
        file: Resource<LogFile>,
    ) -> wasmtime::Result<Result<log_source::FileStat, log_source::SourceError>> {
        self.call()?;
        let file = self.table.get(&file)?.0;
        Ok(self.host.stat(file).map_err(Into::into).map(|stat| log_source::FileStat {
            id: log_source::FileId { device: stat.device, inode: stat.inode },
            size: stat.size,
            modified: stat.modified_ns,
        }))
    }

    fn read(
        &mut self,
        file: Resource<LogFile>,
        offset: u64,
        max: u32,
    ) -> wasmtime::Result<Result<Resource<Chunk>, log_source::SourceError>> {
        self.call()?;
        let file = self.table.get(&file)?.0;
        match self.host.read(file, offset, max.min(limits::CHUNK)) {
            Ok(bytes) => Ok(Ok(self.give(bytes)?)),
            Err(fault) => Ok(Err(fault.into())),
        }
    }

    fn drop(&mut self, file: Resource<LogFile>) -> wasmtime::Result<()> {
        self.table.delete(file)?;
        Ok(())
    }
}

impl<H: StreamerHost> transport::Host for Guest<H> {
    fn window(&mut self) -> wasmtime::Result<u64> {
        self.call()?;
        Ok(self.host.window())
    }

    fn send(
        &mut self,
        data: Resource<Chunk>,
        file: Resource<LogFile>,
        reached: u64,
    ) -> wasmtime::Result<Result<(), transport::SendError>> {
        self.call()?;
        let (data, file) = (self.look(&data)?, self.table.get(&file)?.0);
        Ok(self.host.send(data, file, reached).map_err(Into::into))
    }

    fn send_part(&mut self, data: Resource<Chunk>) -> wasmtime::Result<Result<(), transport::SendError>> {
        self.call()?;
        let data = self.look(&data)?;
        Ok(self.host.send_part(data).map_err(Into::into))
    }

    fn skip(&mut self, file: Resource<LogFile>, reached: u64) -> wasmtime::Result<Result<(), transport::SendError>> {
        self.call()?;
        let file = self.table.get(&file)?.0;
        Ok(self.host.skip(file, reached).map_err(Into::into))
    }

    fn report_gap(&mut self, lost: gaps::Gap) -> wasmtime::Result<Result<(), transport::SendError>> {
        self.call()?;
        Ok(self.host.report_gap(gap_from_guest(lost)).map_err(Into::into))
    }
}
