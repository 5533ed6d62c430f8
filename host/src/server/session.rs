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
use super::opening::{NotOpened, Opening};
use super::receiving::Receiving;
use super::registry::LARGEST_CREDIT;
use super::telling::Telling;
use super::turnover::Turnover;
use super::{Inner, Peer};
use crate::names::{LogKey, SiteName};
use crate::policy::limits;
use crate::transport::FrameSender;
use crate::turn::{Turn, turn};
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
    server: Arc<Inner>,
    key: LogKey,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.server.registry.detached(&self.key, self.epoch);
    }
}

pub struct Session {
    pub server: Arc<Inner>,
    pub to_site: FrameSender<ServerFrame>,
}

impl Session {
    /// Serves the connection until it ends.
    pub async fn run(self, peer: Peer, mut from_site: impl Stream<Item = SiteFrame> + Send + Unpin) {
        if self.server.tasks.is_closing() {
            return self.refuse_for_now("the server is closed").await;
        }
        let first = tokio::select! {
            first = tokio::time::timeout(GREETING, from_site.next()) => first,
            () = self.server.tasks.closing() => return self.refuse_for_now("the server is closed").await,
        };
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
        let closing = self.server.tasks.closing();
        tokio::pin!(closing);
        loop {
            let frame = tokio::select! {
                frame = from_site.next() => frame,
                () = &mut closing => return,
            };
            let Some(frame) = frame else { return };
            match frame.frame {
                Some(site_frame::Frame::Data(data)) => {
                    // Frames of an opening that is over are still on their way when it ends: not an error.
                    let Some(feed) = feeds.get(&data.stream).filter(|feed| feed.epoch == data.epoch) else { continue };
                    let before = feed.waiting.fetch_add(u64::from(data.length), Ordering::Relaxed);
                    if before > LARGEST_CREDIT + u64::from(limits::RANGE) {
                        return self.refuse("more was sent than the server had given credit for").await;
                    }
                    let _ = feed.input.send(Input::Data(Box::new(data)));
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
                    // Over once the new one is there.
                    let _before = feeds.remove(&stream);
                    if feeds.len() >= STREAMS {
                        let words = format!("more than {STREAMS} streams on one connection");
                        self.refuse_opening(stream, words, None).await;
                        continue;
                    }
                    if let Some(feed) = self.open(site, open).await {
                        feeds.insert(stream, feed);
                    }
                }
                Some(site_frame::Frame::Ready(ready)) => {
                    if let Some(feed) = feeds.get(&ready.stream).filter(|feed| feed.epoch == ready.epoch) {
                        self.server.registry.heard(&feed.key, feed.epoch);
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
        let opened = turn(Turn::Long, false, move || prepare(&server, &site, open, to_site)).await;
        match opened {
            Ok(Ok((opened, feed, task, receiving))) => {
                // Before the task is started, so that nothing of the stream overtakes it.
                self.send(server_frame::Frame::Opened(opened)).await;
                self.server.tasks.spawn(task.run(receiving));
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

    /// The site is to come again, in its own time.
    async fn refuse_for_now(&self, reason: &str) {
        self.send(server_frame::Frame::Refused(wire::Refused { reason: reason.into(), retry_after_ns: Some(0) })).await;
    }

    async fn send(&self, frame: server_frame::Frame) {
        // A site that is gone ends the stream of its frames, too; one that does not read keeps no server from being closed.
        // There is room for a word that it is closed, where there is any.
        tokio::select! {
            biased;
            _ = self.to_site.send(ServerFrame { frame: Some(frame) }) => {}
            () = self.server.tasks.closing() => {}
        }
    }
}

/// Opens a stream and makes what serves it.
fn prepare(
    server: &Arc<Inner>,
    site: &SiteName,
    open: wire::Open,
    to_site: FrameSender<ServerFrame>,
) -> Result<(wire::Opened, Feed, LogTask, Receiving), NotOpened> {
    let instance = open.instance.clone();
    let Opening { key, log, receiving, policy, caller, opened, same_stream } = server.open(site, open)?;
    let takeover = server.registry.enter(&key, opened.epoch, &instance);
    let (input, from_session) = mpsc::unbounded_channel();
    let waiting = Arc::new(AtomicU64::new(0));
    let (epoch, of) = (opened.epoch, key.clone());
    let feed = Feed { epoch, input, waiting: waiting.clone(), server: server.clone(), key: of };
    let task = LogTask {
        telling: Telling { server: server.clone(), key, log, stream: opened.stream, epoch: opened.epoch, same_stream },
        idle_timeout: Duration::from_nanos(opened.idle_timeout_ns),
        input: from_session,
        waiting,
        to_site,
        takeover,
        turnover: Turnover::new(server, policy, caller),
    };
    Ok((opened, feed, task, receiving))
}
