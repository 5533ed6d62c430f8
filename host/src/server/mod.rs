//! The server's side: takes streams, stores logs, says how each ended.
//!
//! A [`Server`] has one store. Connections are brought to it by a transport, with the identity that was verified:
//! [`grpc::serve`](crate::transport::grpc::serve), [`InProcess`](crate::transport::InProcess), or an embedding runtime
//! that calls [`Server::serve`].

mod closing;
mod ended;
mod log_task;
pub(crate) mod opening;
pub(crate) mod receiving;
pub(crate) mod registry;
mod session;
mod settle;
mod standing;
pub(crate) mod telling;
#[cfg(test)]
mod tests;
mod turnover;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::watch;

use self::closing::Tasks;
pub use self::ended::{Ended, LogFinished, StaysInStore, ending_name};
pub(crate) use self::log_task::Input;
use self::registry::Registry;
use self::session::Session;
use self::standing::Standings;
use crate::clock::{Clock, SystemClock};
use crate::names::SiteName;
use crate::policy::set::{Origin, PolicyEvent, PolicySet, Reloaded};
use crate::policy::{Admission, Battery, Engine, PolicyError, ReceiverPolicy};
use crate::source::Watcher;
use crate::store::{Durability, Store, StoreError};
use crate::transport::FrameSender;
use crate::wire::{ServerFrame, SiteFrame};

/// After how much silence a stream is closed, unless it is set.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long after its end a log still takes late lines, unless it is set.
pub const LATE_GRACE: Duration = Duration::from_hours(24);

/// Why a server was not started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The policy was not taken.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy engine could not be made.
    #[error("{0}")]
    Engine(String),
    /// The store can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A setting can't be used, in words.
    #[error("{0}")]
    Setting(String),
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone)]
pub struct Peer {
    verified: Option<SiteName>,
}

impl Peer {
    /// A site whose name was verified: by its certificate, or by the embedding runtime.
    pub fn site(name: SiteName) -> Self {
        Self { verified: Some(name) }
    }

    /// Whoever it is, on this machine, without TLS: it says its name itself.
    pub fn unverified() -> Self {
        Self { verified: None }
    }

    fn name(&self, claimed: &str) -> Result<SiteName, String> {
        match &self.verified {
            Some(name) => Ok(name.clone()),
            None if claimed.is_empty() => {
                Err("the site did not say its name; without TLS it is given with --site".into())
            }
            None => SiteName::new(claimed).map_err(|error| error.to_string()),
        }
    }
}

type OnPolicy = Box<dyn Fn(&PolicyEvent) + Send + Sync>;
pub(crate) type OnEnded = Box<dyn Fn(&Ended) + Send + Sync>;

/// What a server is made of; see [`Server::builder`].
pub struct ServerBuilder {
    store: PathBuf,
    durability: Durability,
    policies: Origin,
    battery: Option<Arc<dyn Battery>>,
    on_policy: Option<OnPolicy>,
    engine: Option<Engine>,
    cache: Option<PathBuf>,
    step_time: Duration,
    idle_timeout: Duration,
    late_grace: Duration,
    on_ended: OnEnded,
    finished: Arc<dyn LogFinished>,
    clock: Arc<dyn Clock>,
}

impl ServerBuilder {
    /// When bytes count as stored; default [`Durability::Process`].
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// A receiver policy from a file instead of the built-in one, with its settings.
    pub fn policy(mut self, file: impl Into<PathBuf>, settings: Vec<(String, String)>) -> Self {
        self.policies = Origin::File(file.into(), settings);
        self
    }

    /// Where receiver policies come from: one for all logs, or a directory that assigns them. They are watched, and streams
    /// go over to what changes there; default: the built-in one.
    pub fn policies(mut self, origin: Origin) -> Self {
        self.policies = origin;
        self
    }

    /// What each component is tried with before streams use it, such as a [`Rehearsal`](crate::simulation::Rehearsal);
    /// default: nothing.
    pub fn battery(mut self, battery: impl Battery) -> Self {
        self.battery = Some(Arc::new(battery));
        self
    }

    /// Called with everything that happens to policies, from the threads where it happens: it must not wait. All of it
    /// is in the program's log, too.
    pub fn on_policy(mut self, told: impl Fn(&PolicyEvent) + Send + Sync + 'static) -> Self {
        self.on_policy = Some(Box::new(told));
        self
    }

    /// The longest that a step of the policy may take: at most, and by default, [`STEP_TIME`](crate::policy::limits::STEP_TIME).
    pub fn step_time(mut self, time: Duration) -> Self {
        self.step_time = time;
        self
    }

    /// The engine that runs the policies, which several sites and servers of a process can share; by default each makes
    /// one of its own, with [`cache`](Self::cache).
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = Some(engine);
        self
    }

    /// Where compiled policies are kept, a directory private to this user. Without it they are compiled at each start.
    pub fn cache(mut self, directory: Option<PathBuf>) -> Self {
        self.cache = directory;
        self
    }

    /// After how much silence a stream is closed; default [`IDLE_TIMEOUT`].
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// How long after its end a log still takes late lines; default [`LATE_GRACE`].
    pub fn late_grace(mut self, grace: Duration) -> Self {
        self.late_grace = grace;
        self
    }

    /// Called once for each stream that has ended, after it was recorded. Must not block for long.
    pub fn on_ended(mut self, told: impl Fn(&Ended) + Send + Sync + 'static) -> Self {
        self.on_ended = Box::new(told);
        self
    }

    /// Takes finished logs over; by default they stay in the store.
    pub fn finished(mut self, hook: impl LogFinished) -> Self {
        self.finished = Arc::new(hook);
        self
    }

    /// Opens the store and starts the server, on the current tokio runtime. Logs that had ended and were not handed
    /// over are handed over now; streams that were open and nobody comes back to are closed after the idle timeout.
    ///
    /// # Errors
    ///
    /// The store can't be used, for example because another server uses it, or the policy is not taken.
    pub fn start(self) -> Result<Server, ServerError> {
        if self.idle_timeout.is_zero() {
            return Err(ServerError::Setting("the idle timeout is 0: give a time like 30s".into()));
        }
        let engine = self.engine.map_or_else(|| Engine::new(self.cache), Ok);
        let engine = engine.map_err(ServerError::Engine)?.step_time(self.step_time);
        let on_policy = self.on_policy;
        let told = move |event: &PolicyEvent| {
            event.log();
            if let Some(on_policy) = &on_policy {
                on_policy(event);
            }
        };
        let policies = PolicySet::load(self.policies, Admission::new(engine, self.battery), Arc::new(told))?;
        match Watcher::new() {
            Ok(watcher) => policies.watch(&watcher),
            Err(error) => tracing::warn!("policies are read again when told to only: {error}"),
        }
        let inner = Inner {
            policies,
            standings: Standings::default(),
            store: Store::open(&self.store, self.durability)?,
            directory: self.store,
            idle_timeout: self.idle_timeout,
            late_grace: self.late_grace,
            on_ended: self.on_ended,
            finished: self.finished,
            clock: self.clock,
            registry: Registry::default(),
            tasks: Tasks::default(),
            commits: watch::Sender::new(0),
        };
        let server = Server { inner: Arc::new(inner) };
        server.inner.tasks.spawn(server.inner.clone().take_up());
        Ok(server)
    }
}

/// A running server. Cheap to clone; all clones are one server.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
}

/// What all parts of a server share.
pub(crate) struct Inner {
    store: Store,
    directory: PathBuf,
    policies: Arc<PolicySet<ReceiverPolicy>>,
    /// Logs whose policies have failed.
    standings: Standings,
    idle_timeout: Duration,
    late_grace: Duration,
    on_ended: OnEnded,
    finished: Arc<dyn LogFinished>,
    clock: Arc<dyn Clock>,
    pub(crate) registry: Registry,
    tasks: Tasks,
    /// Counts commits, for those who follow logs.
    commits: watch::Sender<u64>,
}

impl Server {
    /// Begins to make a server that stores logs in this directory.
    pub fn builder(store: impl Into<PathBuf>) -> ServerBuilder {
        ServerBuilder {
            store: store.into(),
            durability: Durability::Process,
            policies: Origin::BuiltIn,
            battery: None,
            on_policy: None,
            engine: None,
            cache: None,
            step_time: crate::policy::limits::STEP_TIME,
            idle_timeout: IDLE_TIMEOUT,
            late_grace: LATE_GRACE,
            on_ended: Box::new(|_| {}),
            finished: Arc::new(StaysInStore),
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Serves one connection of a site until it ends. What the site sends comes from `from_site`, in order; what the
    /// server answers goes to `to_site`.
    pub async fn serve(
        &self,
        peer: Peer,
        from_site: impl Stream<Item = SiteFrame> + Send + Unpin,
        to_site: FrameSender<ServerFrame>,
    ) {
        let session = Session { server: self.inner.clone(), to_site };
        self.inner.tasks.count(session.run(peer, from_site)).await;
    }

    /// Ends the server: its connections end, its streams stay open in the store for the server that comes next, and when
    /// this returns the store is free for that one, also in this process. Without it a server ends with its tokio runtime.
    pub async fn close(&self) {
        self.inner.tasks.end().await;
        self.inner.store.close();
    }

    /// Waits until the server is closed.
    pub fn closing(&self) -> impl Future<Output = ()> + Send + use<> {
        self.inner.tasks.closing()
    }

    /// Reads the policies again, now. What does not pass every stage changes nothing. Streams go over to what changed, one
    /// by one. Blocks: on files, and while a component is compiled.
    pub fn reload_policies(&self) -> Result<Reloaded, PolicyError> {
        self.inner.policies.reload()
    }

    /// Changes whenever something was stored.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.inner.commits.subscribe()
    }

    /// The directory of the store.
    pub fn store_directory(&self) -> PathBuf {
        self.inner.directory.clone()
    }
}

impl Inner {
    /// A server on this store that no connection is brought to and that runs no tasks: whoever makes it steps it.
    pub(crate) fn on(
        store: Store,
        policies: Arc<PolicySet<ReceiverPolicy>>,
        on_ended: OnEnded,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            store,
            directory: PathBuf::new(),
            policies,
            standings: Standings::default(),
            idle_timeout: IDLE_TIMEOUT,
            late_grace: LATE_GRACE,
            on_ended,
            finished: Arc::new(StaysInStore),
            clock,
            registry: Registry::default(),
            tasks: Tasks::default(),
            commits: watch::Sender::new(0),
        }
    }

    fn committed(&self) {
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
    }
}
