//! One connection of a site: greeted, then its frames are handed to the logs that they are for.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_core::Stream;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tracing::{info, warn};

use super::log_task::{Input, LogTask};
use super::receiving::Receiving;
use super::registry::LARGEST_CREDIT;
use super::{Inner, Peer};
use crate::names::{JobName, LogKey, LogName, SiteName};
use crate::policy::{Caller, Refusal, limits};
use crate::store::StoreError;
use crate::transport::FrameSender;
use crate::wire::{self, ServerFrame, SiteFrame, server_frame, site_frame};

/// The first frame must come within this time.
const GREETING: Duration = Duration::from_secs(10);
/// Streams on one connection, so that a site can't take all of the server's memory.
const STREAMS: usize = 20_000;

/// An opening that this connection feeds.
struct Feed {
    epoch: u64,
    input: mpsc::UnboundedSender<Input>,
    waiting: Arc<AtomicU64>,
}

pub struct Session {
    pub server: Arc<Inner>,
    pub to_site: FrameSender<ServerFrame>,
}

impl Session {
    /// Serves the connection until it ends.
    pub async fn run(self, peer: Peer, mut from_site: impl Stream<Item = SiteFrame> + Send + Unpin) {
        let first = tokio::time::timeout(GREETING, from_site.next()).await;
        let hello = match first {
            Ok(Some(SiteFrame { frame: Some(site_frame::Frame::Hello(hello)) })) => hello,
            Ok(None) => return,
            Ok(Some(_)) => return self.refuse("the connection did not begin with a greeting").await,
            Err(_) => return self.refuse(&format!("no greeting came within {GREETING:?}")).await,
        };
        if hello.version != wire::VERSION {
            let words = format!(
                "this server speaks version {} of the wire format, and the site ({}) version {}: run the same release at \
                 both",
                wire::VERSION,
                crate::policy::guest::printable(&hello.software),
                hello.version
            );
            return self.refuse(&words).await;
        }
        let site = match peer.name(&hello.site) {
            Ok(site) => site,
            Err(words) => return self.refuse(&words).await,
        };
        info!("{site} is connected ({})", crate::policy::guest::printable(&hello.software));
        let welcome = wire::Welcome { version: wire::VERSION, software: wire::SOFTWARE.into() };
        self.send(server_frame::Frame::Welcome(welcome)).await;
        self.frames(&site, from_site).await;
        info!("{site} is gone");
    }

    async fn frames(&self, site: &SiteName, mut from_site: impl Stream<Item = SiteFrame> + Send + Unpin) {
        let mut feeds: HashMap<u32, Feed> = HashMap::new();
        while let Some(frame) = from_site.next().await {
            match frame.frame {
                Some(site_frame::Frame::Data(data)) => {
                    // Frames of an opening that is over are still on their way when it ends: not an error.
                    let Some(feed) = feeds.get(&data.stream).filter(|feed| feed.epoch == data.epoch) else { continue };
                    let before = feed.waiting.fetch_add(u64::from(data.length), Ordering::Relaxed);
                    if before > LARGEST_CREDIT + u64::from(limits::RANGE) {
                        return self.refuse("more was sent than the server had given credit for").await;
                    }
                    let _ = feed.input.send(Input::Data(data));
                }
                Some(site_frame::Frame::End(end)) => {
                    let Some(feed) = feeds.get(&end.stream).filter(|feed| feed.epoch == end.epoch) else { continue };
                    let _ = feed.input.send(Input::End(end));
                }
                Some(site_frame::Frame::Beat(beat)) => {
                    if self.to_site.urgent(ServerFrame { frame: Some(server_frame::Frame::Beat(beat)) }).is_err() {
                        return;
                    }
                    feeds.retain(|_, feed| feed.input.send(Input::Beat).is_ok());
                }
                Some(site_frame::Frame::Open(open)) => {
                    let stream = open.stream;
                    feeds.remove(&stream);
                    if feeds.len() >= STREAMS {
                        let words = format!("more than {STREAMS} streams on one connection");
                        self.refuse_opening(stream, words, None).await;
                        continue;
                    }
                    if let Some(feed) = self.open(site, open).await {
                        feeds.insert(stream, feed);
                    }
                }
                Some(site_frame::Frame::Hello(_)) => return self.refuse("a second greeting came").await,
                None => return self.refuse("a frame came that this server does not know").await,
            }
        }
    }

    /// Opens one stream, or refuses it in words.
    async fn open(&self, site: &SiteName, open: wire::Open) -> Option<Feed> {
        let stream = open.stream;
        let (server, to_site, site) = (self.server.clone(), self.to_site.clone(), site.clone());
        // Opening reads the log's journal and runs the policy.
        let opened = tokio::task::spawn_blocking(move || prepare(&server, &site, open, to_site)).await;
        match opened {
            Ok(Ok((opened, feed, task, receiving))) => {
                // Before the task is started, so that nothing of the stream overtakes it.
                self.send(server_frame::Frame::Opened(opened)).await;
                tokio::spawn(task.run(receiving));
                Some(feed)
            }
            Ok(Err(refused)) => {
                self.refuse_opening(stream, refused.words, refused.retry_after).await;
                None
            }
            Err(defect) => {
                warn!("a stream was not opened by a defect: {defect}");
                self.refuse_opening(stream, "a defect of the server".into(), Some(0)).await;
                None
            }
        }
    }

    async fn refuse_opening(&self, stream: u32, reason: String, retry_after_ns: Option<u64>) {
        let refused = Some(wire::Refused { reason, retry_after_ns });
        self.send(server_frame::Frame::OpenRefused(wire::OpenRefused { stream, refused })).await;
    }

    async fn refuse(&self, reason: &str) {
        warn!("a connection is refused: {reason}");
        self.send(server_frame::Frame::Refused(wire::Refused { reason: reason.into(), retry_after_ns: None })).await;
    }

    async fn send(&self, frame: server_frame::Frame) {
        // A site that is gone ends the stream of its frames, too.
        let _ = self.to_site.send(ServerFrame { frame: Some(frame) }).await;
    }
}

/// Why a stream is not opened.
struct NotOpened {
    words: String,
    /// None: for good.
    retry_after: Option<u64>,
}

impl NotOpened {
    fn never(words: impl ToString) -> Self {
        Self { words: words.to_string(), retry_after: None }
    }

    fn later(words: impl ToString, after: Option<u64>) -> Self {
        Self { words: words.to_string(), retry_after: Some(after.unwrap_or(0)) }
    }
}

/// Checks names and grace, asks the policy, and enters the opening into the store: from then on it is the newest.
fn prepare(
    server: &Arc<Inner>,
    site: &SiteName,
    open: wire::Open,
    to_site: FrameSender<ServerFrame>,
) -> Result<(wire::Opened, Feed, LogTask, Receiving), NotOpened> {
    let job = JobName::new(open.job).map_err(NotOpened::never)?;
    let log = LogName::new(open.log).map_err(NotOpened::never)?;
    let key = LogKey { job, site: site.clone(), log };
    let log = server.store.log(&key).map_err(|error| {
        warn!("{key}: {error}");
        // What the operating system refuses now it may allow later; what is wrong in the store needs a person.
        match error {
            StoreError::Io { .. } => NotOpened::later(error, None),
            error => NotOpened::never(error),
        }
    })?;
    let before = log.state();
    if let Some(end) = &before.end {
        let age = Duration::from_nanos(server.clock.wall().saturating_sub(before.written_at));
        if age > server.late_grace {
            return Err(NotOpened::never(format!(
                "{key} ended ({}) {} ago, and late lines are taken for {} only",
                super::ending_name(end.kind()),
                humantime::format_duration(Duration::from_secs(age.as_secs())),
                humantime::format_duration(server.late_grace),
            )));
        }
    }
    let caller = Caller {
        site: key.site.to_string(),
        job: key.job.to_string(),
        log: key.log.to_string(),
        liveness_interval: open.liveness_interval_ns,
        policy_digest: format!("sha256:{}", crate::policy::hex(&open.policy_digest)),
        stored: before.stored,
        idle_timeout: nanoseconds(server.idle_timeout),
        custom: Vec::new(),
    };
    let (policy, terms) = match server.policy.accept(server.clock.clone(), &caller) {
        Ok(Ok(accepted)) => accepted,
        Ok(Err(Refusal::Never(words))) => return Err(NotOpened::never(words)),
        Ok(Err(Refusal::Later(after, why))) => return Err(NotOpened::later(why, after)),
        Err(fault) => {
            warn!("{key}: {fault}");
            return Err(NotOpened::later(fault, None));
        }
    };
    let state = log.open_stream(&open.instance, &open.policy_digest).map_err(|error| {
        warn!("{key}: {error}");
        NotOpened::later(error, None)
    })?;
    let takeover = server.registry.enter(&key, state.epoch, &open.instance);
    let (input, from_session) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicU64::new(0));
    let opened = wire::Opened {
        stream: open.stream,
        epoch: state.epoch,
        progress: state.progress.clone(),
        stored: state.stored,
        received: state.received,
        idle_timeout_ns: terms.idle_timeout,
        credit: server.registry.credit(),
        ended: before
            .end
            .as_ref()
            .is_some_and(|end| matches!(end.kind(), wire::EndKind::Complete | wire::EndKind::Incomplete)),
    };
    let receiving = Receiving::new(log.clone(), policy, server.clock.clone(), &state, terms.idle_timeout);
    let feed = Feed { epoch: state.epoch, input, waiting: waiting.clone() };
    let task = LogTask {
        server: server.clone(),
        key,
        log,
        stream: open.stream,
        epoch: state.epoch,
        idle_timeout: Duration::from_nanos(terms.idle_timeout),
        input: from_session,
        waiting,
        to_site,
        takeover,
        same_stream: before.instance == open.instance,
    };
    Ok((opened, feed, task, receiving))
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
