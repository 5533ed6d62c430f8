//! The site's side: streams this log of this job, stops, finishes.
//!
//! A [`Site`] has one connection to one server; each [`Stream`] on it is one log with a policy instance of its own.
//! Everything that goes wrong on the way (the server not there yet, a connection that breaks, a policy that traps) is
//! answered in one way: the server is asked what it has, and the stream goes on from there.

pub(crate) mod backoff;
pub(crate) mod core;
pub(crate) mod driver;
pub(crate) mod guardian;
mod keeper;
mod link;
mod log_file;
mod outcome;
mod stream;
mod task;
#[cfg(test)]
mod tests;
mod turnover;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc, watch};

use self::driver::{Driver, Terms};
use self::keeper::{Keeper, SitePolicies, audited};
use self::link::{Link, Request};
pub use self::log_file::LogFile;
pub use self::outcome::{Ending, Outcome};
pub use self::stream::Stream;
use self::task::{Status, Task};
use self::turnover::{Turnover, Turns};
use crate::audit::Audit;
use crate::clock::{Clock, SystemClock};
use crate::names::{LogName, NameError, SiteName};
use crate::policy::set::{Origin, PolicyEvent, PolicySet, Reloaded};
use crate::policy::{Admission, Battery, Engine, PolicyError, Settings};
use crate::source::{AnchorKey, LogSource, SourceError, WatchError, Watcher};
use crate::transport::Transport;

/// How often a site is heard at least, unless it is set.
pub const LIVENESS_INTERVAL: Duration = Duration::from_secs(10);
/// How often a log is looked at when no event came, unless it is set.
pub const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Why a site or a stream was not started.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// The policy was not taken.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The policy engine could not be made.
    #[error("{0}")]
    Engine(String),
    /// The log's directory can't be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// File events are not to be had.
    #[error(transparent)]
    Watch(#[from] WatchError),
    /// The log has no name that the server could file it under.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A setting can't be used, in words.
    #[error("{0}")]
    Setting(String),
}

type OnPolicy = Box<dyn Fn(&PolicyEvent) + Send + Sync>;

/// What a site is made of; see [`Site::builder`].
pub struct SiteBuilder {
    transport: Box<dyn Transport>,
    site: Option<SiteName>,
    policies: Origin,
    battery: Option<Arc<dyn Battery>>,
    on_policy: Option<OnPolicy>,
    audit: Option<Arc<Audit>>,
    engine: Option<Engine>,
    cache: Option<PathBuf>,
    step_time: Duration,
    liveness_interval: Duration,
    poll_interval: Duration,
    anchor_secret: Option<Vec<u8>>,
    clock: Arc<dyn Clock>,
}

impl SiteBuilder {
    /// The site's name, for a server that takes it from the connection's first frame: on loopback without TLS. With
    /// TLS the certificate says it, and this is not looked at.
    pub fn site(mut self, name: SiteName) -> Self {
        self.site = Some(name);
        self
    }

    /// A streamer policy from a file instead of the built-in one, with its settings.
    pub fn policy(mut self, file: impl Into<PathBuf>, settings: Vec<(String, String)>) -> Self {
        self.policies = Origin::File(file.into(), settings);
        self
    }

    /// Where streamer policies come from: one for all logs, or a directory that assigns them. They are watched, and streams
    /// go over to what changes there; default: the built-in one.
    pub fn policies(mut self, origin: Origin) -> Self {
        self.policies = origin;
        self
    }

    /// What each component is tried with before streams use it; default: nothing.
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

    /// Where it is written which bytes of which log left, when, and under which policy.
    pub fn audit(mut self, audit: Arc<Audit>) -> Self {
        self.audit = Some(audit);
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

    /// How often the server hears of this site at least; default [`LIVENESS_INTERVAL`].
    pub fn liveness_interval(mut self, interval: Duration) -> Self {
        self.liveness_interval = interval;
        self
    }

    /// How often to look at a log when no event came; default [`POLL_INTERVAL`].
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// A secret of this site that stays the same over restarts, such as its private key. The marks that tell files
    /// apart are keyed with it, so that the server can't guess at what it was not sent. Without it, the marks are keyed
    /// with the site's name, which hides nothing.
    pub fn anchor_secret(mut self, secret: &[u8]) -> Self {
        self.anchor_secret = Some(secret.to_vec());
        self
    }

    /// Starts the site's connection, on the current tokio runtime. It is made, and made again, in the background: a
    /// server that is not there yet is no error.
    ///
    /// # Errors
    ///
    /// The policy is not taken, or an interval is 0.
    pub fn start(self) -> Result<Site, SiteError> {
        check_intervals(self.liveness_interval, self.poll_interval)?;
        let engine = self.engine.map_or_else(|| Engine::new(self.cache), Ok);
        let engine = engine.map_err(SiteError::Engine)?.step_time(self.step_time);
        let (audit, on_policy) = (self.audit.clone(), self.on_policy);
        let told = move |event: &PolicyEvent| {
            event.log();
            if let Some(audit) = &audit {
                let (entry, log) = audited(event);
                audit.add(entry, log);
            }
            if let Some(on_policy) = &on_policy {
                on_policy(event);
            }
        };
        let policies = PolicySet::load(self.policies, Admission::new(engine, self.battery), Arc::new(told))?;
        let watcher = Watcher::new()?;
        policies.watch(&watcher);
        let secret = self
            .anchor_secret
            .unwrap_or_else(|| self.site.as_ref().map_or_else(Vec::new, |site| site.as_str().as_bytes().to_vec()));
        let (link, requests) = mpsc::unbounded_channel();
        let connection = Link {
            transport: self.transport,
            site: self.site.map(String::from),
            liveness_interval: self.liveness_interval,
            seed: random()?.to_vec(),
        };
        let (is_there, link_is_there) = watch::channel(());
        tokio::spawn(async move {
            connection.run(requests).await;
            drop(is_there);
        });
        let inner = Inner {
            link_is_there,
            link,
            policies,
            turns: Turns::default(),
            audit: self.audit,
            watcher,
            liveness_interval: self.liveness_interval,
            poll_interval: self.poll_interval,
            anchor_key: AnchorKey::from_secret(&secret),
            clock: self.clock,
            numbers: AtomicU32::new(1),
        };
        Ok(Site { inner: Arc::new(inner) })
    }
}

fn check_intervals(liveness: Duration, poll: Duration) -> Result<(), SiteError> {
    for (name, interval) in [("liveness", liveness), ("poll", poll)] {
        if interval.is_zero() {
            return Err(SiteError::Setting(format!("the {name} interval is 0: give a time like 10s or 500ms")));
        }
    }
    Ok(())
}

/// 16 random bytes.
fn random() -> Result<[u8; 16], SiteError> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|e| SiteError::Setting(format!("the system gives no random numbers: {e}")))?;
    Ok(bytes)
}

/// One site's connection to one server. Cheap to clone.
#[derive(Clone)]
pub struct Site {
    inner: Arc<Inner>,
}

struct Inner {
    /// Closed when the link is gone.
    link_is_there: watch::Receiver<()>,
    link: mpsc::UnboundedSender<Request>,
    policies: Arc<SitePolicies>,
    turns: Turns,
    audit: Option<Arc<Audit>>,
    watcher: Arc<Watcher>,
    liveness_interval: Duration,
    poll_interval: Duration,
    anchor_key: AnchorKey,
    clock: Arc<dyn Clock>,
    numbers: AtomicU32,
}

impl Site {
    /// Begins to make a site that talks over this transport.
    pub fn builder(transport: impl Transport) -> SiteBuilder {
        SiteBuilder {
            transport: Box::new(transport),
            site: None,
            policies: Origin::BuiltIn,
            battery: None,
            on_policy: None,
            audit: None,
            engine: None,
            cache: None,
            step_time: crate::policy::limits::STEP_TIME,
            liveness_interval: LIVENESS_INTERVAL,
            poll_interval: POLL_INTERVAL,
            anchor_secret: None,
            clock: Arc::new(SystemClock::default()),
        }
    }

    /// Ends the connection once its streams are over, and waits for that. Clones of the site keep it.
    pub async fn close(self) {
        let mut link = self.inner.link_is_there.clone();
        drop(self);
        // Nothing is ever sent: it fails when the link is gone.
        let _ = link.changed().await;
    }

    /// Reads the policies again, now, where they do not come from the program itself. What does not pass every stage changes
    /// nothing. Streams go over to what changed, one by one. Blocks: on files, and while a component is compiled.
    pub fn reload_policies(&self) -> Result<Reloaded, PolicyError> {
        self.inner.policies.reload()
    }

    /// Streams a log, from its first byte or from where the server stands.
    ///
    /// # Errors
    ///
    /// The log's directory is not there or can't be read, the file's name is none that the server could take, no policy is
    /// for the log, or an interval is 0.
    pub fn stream(&self, log: LogFile) -> Result<Stream, SiteError> {
        let inner = &self.inner;
        let liveness_interval = log.liveness_interval.unwrap_or(inner.liveness_interval);
        let poll_interval = log.poll_interval.unwrap_or(inner.poll_interval);
        check_intervals(liveness_interval, poll_interval)?;
        let name = match log.name {
            Some(name) => name,
            None => file_name(&log.path)?,
        };
        // A link is followed once, now: the source itself never leaves the log's directory.
        let path = match std::fs::symlink_metadata(&log.path) {
            Ok(found) if found.is_symlink() => std::fs::canonicalize(&log.path).unwrap_or(log.path),
            _ => log.path,
        };
        let mut assignments = inner.policies.current();
        let assigned = assignments.borrow_and_update().of(log.job.as_str(), name.as_str(), None)?;
        let source = LogSource::open(&path, inner.anchor_key.clone())?;
        let nanoseconds = |interval: Duration| u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX);
        let number = inner.numbers.fetch_add(1, Ordering::Relaxed);
        let terms = Terms {
            name: format!("{}/{name}", log.job),
            stream: number,
            job: log.job.clone().into(),
            log: name.clone().into(),
            instance: Bytes::copy_from_slice(&random()?),
            settings: Settings {
                liveness_interval: nanoseconds(liveness_interval),
                poll_interval: nanoseconds(poll_interval),
                once: log.once,
                custom: assigned.custom.to_vec(),
            },
        };
        let changed = Arc::new(Notify::new());
        let wake = changed.clone();
        let subscription = inner.watcher.subscribe_to_log(&path, move || wake.notify_one());
        let keeper = Keeper::new(inner.policies.clone(), inner.audit.clone(), &terms.name);
        let driver = Driver::new(terms, assigned.policy.clone(), source, inner.clock.clone());
        let driver = driver.under(assigned, Arc::new(keeper));
        let turnover = Turnover::new(log.job.into(), name.into(), assignments, inner.turns.clone());
        let (orders, from_holder) = mpsc::unbounded_channel();
        let (to_stream, signals) = mpsc::unbounded_channel();
        let running = Status::Running { waiting_for: "the server was not to be reached".into(), stored: 0 };
        let (status, seen) = watch::channel(running);
        // A link that has ended refuses the stream: its signals are closed, which reads as a link that is down.
        let _ = inner.link.send(Request::Join(number, to_stream, liveness_interval));
        let task = Task {
            number,
            clock: inner.clock.clone(),
            orders: from_holder,
            signals,
            changed,
            _subscription: subscription,
            link: inner.link.clone(),
            status,
            turnover,
        };
        tokio::spawn(task.run(driver));
        Ok(Stream::new(orders, seen))
    }
}

fn file_name(path: &Path) -> Result<LogName, SiteError> {
    let name = path.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        SiteError::Setting(format!("{}: not the path of a file with a readable name", path.display()))
    })?;
    Ok(LogName::new(name)?)
}
