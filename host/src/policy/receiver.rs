//! A receiver policy: linked once, then one instance per stream.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::{HasSelf, Linker, Resource};

use super::bindings::receiver::exports::fedtail::policy::receiving;
use super::bindings::receiver::fedtail::policy::{log_sink, usage};
use super::bindings::receiver::{ReceiverPolicy as Bindings, ReceiverPolicyPre};
use super::chunk::Chunk;
use super::component::{Component, Digest};
use super::engine::Engine;
use super::error::{Fault, PolicyError};
use super::guest::{self, Guest, Time, printable};
use super::limits;
use super::machine::{Machine, Needs};
use super::streamer::gap_to_guest;
use super::wasi;
use crate::broken::{Rule, is_broken};
use crate::clock::Clock;
use crate::wire;

/// Pieces that one step may append.
const STAGED: usize = 1024;

/// Who opens a stream, and what is known of it; see the contract.
#[derive(Debug, Clone)]
pub struct Caller {
    /// From the verified peer.
    pub site: String,
    /// As the site says.
    pub job: String,
    /// As the site says.
    pub log: String,
    /// Nanoseconds.
    pub liveness_interval: u64,
    /// As the site says: `sha256:` and digits.
    pub policy_digest: String,
    /// Bytes stored of this log.
    pub stored: u64,
    /// The server's idle timeout, in nanoseconds.
    pub idle_timeout: u64,
    /// The server's own settings for the policy.
    pub custom: Vec<(String, String)>,
    /// What else the store has.
    pub others: Others,
}

/// What a store has of one site and job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// How many logs.
    pub logs: u32,
    /// How many bytes.
    pub bytes: u64,
}

/// Tells what the store has now of a stream's site and job, without the stream's own log. By default, nothing.
#[derive(Clone, Default)]
pub struct Others(Option<Arc<dyn Fn() -> Totals + Send + Sync>>);

impl Others {
    /// Asks this each time.
    pub fn new(ask: impl Fn() -> Totals + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    fn totals(&self) -> Totals {
        self.0.as_ref().map_or_else(Totals::default, |ask| ask())
    }
}

impl fmt::Debug for Others {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Others")
    }
}

/// What the receiver agrees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// Nanoseconds of silence after which the policy is woken with `idle`.
    pub idle_timeout: u64,
}

/// Why a stream is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Try again, after so many nanoseconds if given; in words why.
    Later(Option<u64>, String),
    /// For good, in words.
    Never(String),
}

/// Why the policy is stepped.
#[derive(Debug, Clone)]
pub enum ReceiverWake {
    /// Bytes came.
    Data(Bytes),
    /// The site lost bytes.
    Lost(wire::Gap),
    /// The site is alive.
    Heartbeat,
    /// Nothing was heard for so many nanoseconds.
    Idle(u64),
    /// The time that was asked for has come.
    Timer,
}

/// What the policy waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverNext {
    /// Any wake, or this instant in monotonic nanoseconds.
    Wait(Option<u64>),
    /// Nothing: the stream is to end like this, with these words.
    Close(wire::EndKind, String),
}

/// What a step came to.
#[derive(Debug)]
pub struct Verdict {
    /// What the policy waits for.
    pub next: ReceiverNext,
    /// What it wants stored.
    pub staged: Vec<Bytes>,
    /// Why it dropped this step's data, if it did.
    pub dropped: Option<String>,
}

/// What becomes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It is handed over.
    Keep,
    /// It stays where it is, as a partial log.
    RetainPartial,
    /// It is deleted.
    Discard,
}

/// What one step stages; the host of a receiver instance.
pub struct Staging {
    clock: Arc<dyn Clock>,
    others: Others,
    stored: u64,
    /// Whether a step with data is running.
    open: bool,
    staged: Vec<Bytes>,
    dropped: Option<String>,
}

impl Time for Staging {
    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn wall(&self) -> u64 {
        self.clock.wall()
    }
}

/// A receiver policy, linked.
#[derive(Clone)]
pub struct ReceiverPolicy {
    engine: Engine,
    machine: Arc<Machine>,
    linked: ReceiverPolicyPre<Guest<Staging>>,
    digest: Digest,
}

impl ReceiverPolicy {
    /// Links a component of kind [`Kind::Receiver`](super::Kind::Receiver).
    pub fn link(engine: &Engine, component: &Component) -> Result<Self, PolicyError> {
        let link = || {
            let mut linker = Linker::<Guest<Staging>>::new(&component.machine.wasmtime);
            Bindings::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
            if component.machine.needs == Needs::System {
                wasi::link(&mut linker)?;
            }
            ReceiverPolicyPre::new(linker.instantiate_pre(&component.compiled)?)
        };
        let linked = link()
            .map_err(|e| PolicyError::Link { file: component.file.clone(), reason: printable(&format!("{e:#}")) })?;
        let machine = component.machine.clone();
        Ok(Self { engine: engine.clone(), machine, linked, digest: component.digest() })
    }

    /// The digest of the component.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Makes an instance and asks it whether it takes the stream.
    pub fn accept(
        &self,
        clock: Arc<dyn Clock>,
        caller: &Caller,
    ) -> Result<Result<(ReceiverInstance, Terms), Refusal>, Fault> {
        let stream = format!("{}/{}/{}", caller.job, caller.site, caller.log);
        let staging = Staging {
            clock,
            others: caller.others.clone(),
            stored: caller.stored,
            open: false,
            staged: Vec::new(),
            dropped: None,
        };
        let mut store = guest::store(&self.engine, &self.machine, staging, self.digest, &stream);
        let bindings =
            guest::enter(&mut store, |store| self.linked.instantiate(store)).map_err(|e| match Fault::trap(&e) {
                Fault::Trapped(words) => Fault::Instantiate(words),
                other => other,
            })?;
        let caller = receiving::Caller {
            site: caller.site.clone(),
            job: caller.job.clone(),
            log: caller.log.clone(),
            liveness_interval: caller.liveness_interval,
            policy_digest: caller.policy_digest.clone(),
            stored: caller.stored,
            idle_timeout: caller.idle_timeout,
            custom: caller.custom.clone(),
        };
        let receiving = bindings.fedtail_policy_receiving();
        Ok(match guest::call(&mut store, |store| receiving.call_accept(store, &caller))? {
            Ok(terms) => Ok((ReceiverInstance { store, bindings }, Terms { idle_timeout: terms.idle_timeout })),
            Err(receiving::Refusal::Later(later)) => Err(Refusal::Later(later.after, printable(&later.why))),
            Err(receiving::Refusal::Never(words) | receiving::Refusal::Other(words)) => {
                Err(Refusal::Never(printable(&words)))
            }
        })
    }
}

/// One stream's instance.
pub struct ReceiverInstance {
    store: wasmtime::Store<Guest<Staging>>,
    bindings: Bindings,
}

impl ReceiverInstance {
    /// Steps it; `stored` is what the store holds now. After a fault nothing of this step is kept, and the instance is
    /// spent.
    pub fn step(&mut self, wake: ReceiverWake, stored: u64) -> Result<Verdict, Fault> {
        let is_data = matches!(wake, ReceiverWake::Data(_));
        let staging = &mut self.store.data_mut().host;
        staging.stored = stored;
        staging.open = is_data;
        staging.dropped = None;
        let wake = match wake {
            ReceiverWake::Data(bytes) => {
                let chunk = self.store.data_mut().give(bytes).map_err(|e| Fault::trap(&e))?;
                receiving::Wake::Data(chunk)
            }
            ReceiverWake::Lost(gap) => receiving::Wake::Lost(gap_to_guest(&gap)),
            ReceiverWake::Heartbeat => receiving::Wake::Heartbeat,
            ReceiverWake::Idle(silence) => receiving::Wake::Idle(silence),
            ReceiverWake::Timer => receiving::Wake::Timer,
        };
        let receiving = self.bindings.fedtail_policy_receiving();
        let next = match guest::call(&mut self.store, |store| receiving.call_step(store, &wake)) {
            Err(_) if is_broken(Rule::StagedUntilReturned) => Ok(receiving::Next::Wait),
            returned => returned?,
        };
        let next = next.map_err(|words| Fault::Gave(printable(&words)))?;
        let staging = &mut self.store.data_mut().host;
        staging.open = false;
        let (staged, dropped) = (std::mem::take(&mut staging.staged), staging.dropped.take());
        if is_data && staged.is_empty() && dropped.is_none() {
            return Err(Fault::Gave("it neither stored its data nor dropped it with a reason".into()));
        }
        let next = match next {
            receiving::Next::Wait => ReceiverNext::Wait(None),
            receiving::Next::WaitUntil(at) => ReceiverNext::Wait(Some(at)),
            receiving::Next::Close(ending) => {
                let (kind, words) = ending_from_guest(ending);
                ReceiverNext::Close(kind, words)
            }
        };
        Ok(Verdict { next, staged, dropped })
    }

    /// Tells it how the stream ended, and asks what becomes of the log. The last call.
    pub fn finish(mut self, kind: wire::EndKind, words: &str) -> Result<Disposition, Fault> {
        let ending = match kind {
            wire::EndKind::Complete => receiving::Ending::Complete,
            wire::EndKind::Incomplete => receiving::Ending::Incomplete,
            wire::EndKind::Idle => receiving::Ending::Idle,
            wire::EndKind::Aborted => receiving::Ending::Aborted,
            wire::EndKind::Superseded => receiving::Ending::Superseded,
            wire::EndKind::Failed => receiving::Ending::Failed(words.into()),
            wire::EndKind::Unspecified => receiving::Ending::Other(words.into()),
        };
        let receiving = self.bindings.fedtail_policy_receiving();
        Ok(match guest::call(&mut self.store, |store| receiving.call_finish(store, &ending))? {
            receiving::Disposition::Keep => Disposition::Keep,
            // The careful answer to a word from a later version.
            receiving::Disposition::RetainPartial | receiving::Disposition::Other(_) => Disposition::RetainPartial,
            receiving::Disposition::Discard => Disposition::Discard,
        })
    }
}

fn ending_from_guest(ending: receiving::Ending) -> (wire::EndKind, String) {
    match ending {
        receiving::Ending::Complete => (wire::EndKind::Complete, String::new()),
        receiving::Ending::Incomplete => (wire::EndKind::Incomplete, String::new()),
        receiving::Ending::Idle => (wire::EndKind::Idle, String::new()),
        receiving::Ending::Aborted => (wire::EndKind::Aborted, String::new()),
        receiving::Ending::Superseded => (wire::EndKind::Superseded, String::new()),
        receiving::Ending::Failed(words) => (wire::EndKind::Failed, printable(&words)),
        receiving::Ending::Other(words) => (wire::EndKind::Failed, printable(&words)),
    }
}

impl log_sink::Host for Guest<Staging> {
    fn append(&mut self, data: Resource<Chunk>) -> wasmtime::Result<()> {
        self.call()?;
        let data = self.look(&data)?;
        if !self.host.open {
            wasmtime::bail!("it appended outside of a step with data");
        }
        let staged: usize = self.host.staged.iter().map(Bytes::len).sum();
        if staged + data.len() > limits::RANGE as usize || self.host.staged.len() >= STAGED {
            wasmtime::bail!("it appended more in one step than a source range may carry: {} bytes", limits::RANGE);
        }
        self.host.staged.push(data);
        Ok(())
    }

    fn drop_data(&mut self, why: String) -> wasmtime::Result<()> {
        self.call()?;
        self.host.dropped = Some(printable(&why));
        Ok(())
    }

    fn size(&mut self) -> wasmtime::Result<u64> {
        self.call()?;
        Ok(self.host.stored)
    }
}

impl usage::Host for Guest<Staging> {
    fn others(&mut self) -> wasmtime::Result<usage::Totals> {
        self.call()?;
        let Totals { logs, bytes } = self.host.others.totals();
        Ok(usage::Totals { logs, bytes })
    }
}
