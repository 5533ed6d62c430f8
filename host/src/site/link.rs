//! The one connection of a site, shared by its streams: made, kept alive, and made again.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::StreamExt;
use tracing::{debug, info, warn};

use super::backoff::Backoff;
use crate::transport::{ConnectError, Connection, FrameSender, Gone, Transport};
use crate::wire::{self, SiteFrame, server_frame, site_frame};

/// Without a frame from the server for so many liveness intervals, and at least [`SHORTEST_SILENCE`], a connection is
/// taken for dead: each beat is answered at once.
const SILENT_INTERVALS: u32 = 3;
/// A server that is busy on a slow disk answers late.
const SHORTEST_SILENCE: Duration = Duration::from_secs(10);

/// A link is far when its fastest beat takes longer than this to be answered: longer than any local network takes. What is
/// nearer is as fast as the processors at its ends, which have better things to do than to compress.
const FAR: Duration = Duration::from_millis(5);

/// So many beats follow each other at once when a connection is new, to tell whether it is far before data makes it slow.
const FIRST_BEATS: u64 = 4;

/// Each new connection must be there, and greeted, within this time.
const CONNECT: Duration = Duration::from_secs(20);

/// The live connection, as a stream uses it.
#[derive(Clone)]
pub struct Line {
    /// To the server.
    pub frames: FrameSender<SiteFrame>,
    /// Whether the server is far away.
    far: Arc<AtomicBool>,
}

impl Line {
    /// Whether the server answers in the time of a local network.
    pub fn is_near(&self) -> bool {
        !self.far.load(Ordering::Relaxed)
    }

    /// Whether payloads are worth compressing now: the link and not a processor is what limits. Where a frame has to wait for
    /// it anyway, the time costs nothing; and where the server's credit limits, which counts what is not compressed, it would
    /// gain nothing.
    pub fn is_slow(&self) -> bool {
        !self.is_near() && self.frames.is_full()
    }
}

/// What the link tells a stream.
pub enum Signal {
    /// There is a connection.
    Up(Line),
    /// It is gone.
    Down,
    /// A frame of the stream.
    Frame(server_frame::Frame),
    /// There will be no connection, in words.
    Refused(String),
}

/// What a link is told.
pub enum Request {
    /// A stream wants to use it: its number, where its signals go, and how often the server is to hear of it.
    Join(u32, mpsc::UnboundedSender<Signal>, Duration),
    /// A stream is over.
    Leave(u32),
}

/// What a link needs.
pub struct Link {
    pub transport: Box<dyn Transport>,
    /// The site's name, where the connection has no identity of its own.
    pub site: Option<String>,
    pub liveness_interval: Duration,
    /// Different on each host.
    pub seed: Vec<u8>,
}

struct Members {
    requests: mpsc::UnboundedReceiver<Request>,
    streams: HashMap<u32, Member>,
    line: Option<Line>,
    refused: Option<String>,
}

/// One stream on the connection.
struct Member {
    signals: mpsc::UnboundedSender<Signal>,
    liveness_interval: Duration,
}

impl Members {
    /// Takes one request; false when the site is gone.
    fn take(&mut self, request: Option<Request>) -> bool {
        match request {
            Some(Request::Join(number, signals, liveness_interval)) => {
                // A stream that is gone again is not an error.
                if let Some(line) = &self.line {
                    let _ = signals.send(Signal::Up(line.clone()));
                }
                if let Some(reason) = &self.refused {
                    let _ = signals.send(Signal::Refused(reason.clone()));
                }
                self.streams.insert(number, Member { signals, liveness_interval });
                true
            }
            Some(Request::Leave(number)) => {
                self.streams.remove(&number);
                true
            }
            None => false,
        }
    }

    /// How often the server is to hear of this site: as often as the most eager of its streams needs it.
    fn liveness_interval(&self, of_site: Duration) -> Duration {
        self.streams.values().map(|stream| stream.liveness_interval).fold(of_site, Duration::min)
    }

    fn tell(&self, signal: impl Fn() -> Signal) {
        for stream in self.streams.values() {
            let _ = stream.signals.send(signal());
        }
    }
}

/// How one connection went.
enum End {
    /// The site is gone: no stream and no handle is left.
    Unused,
    /// Try again.
    Lost(String),
    /// Never again.
    Refused(String),
    /// Try again, not before this.
    Later(String, Duration),
}

impl Link {
    /// Runs until the site is gone.
    pub async fn run(self, requests: mpsc::UnboundedReceiver<Request>) {
        let mut members = Members { requests, streams: HashMap::new(), line: None, refused: None };
        let mut backoff = Backoff::new(&self.seed);
        let mut was_up = false;
        let mut warned = false;
        loop {
            let end = self.connection(&mut members, &mut backoff, &mut was_up, &mut warned).await;
            if members.line.take().is_some() {
                members.tell(|| Signal::Down);
            }
            let pause = match end {
                End::Unused => return,
                End::Refused(reason) => {
                    members.refused = Some(reason.clone());
                    members.tell(|| Signal::Refused(reason.clone()));
                    loop {
                        let request = members.requests.recv().await;
                        if !members.take(request) {
                            return;
                        }
                    }
                }
                End::Lost(reason) => {
                    let reason = self.named(reason);
                    // Once in words for the person who watches; the attempts in between are for those who debug.
                    if warned {
                        debug!("{reason}");
                    } else {
                        warn!("{reason}; trying again until it is there");
                        warned = true;
                    }
                    Duration::from_nanos(backoff.next())
                }
                End::Later(reason, pause) => {
                    warn!("{}; trying again later", self.named(reason));
                    pause.max(Duration::from_nanos(backoff.next()))
                }
            };
            let again = tokio::time::sleep(pause);
            tokio::pin!(again);
            loop {
                tokio::select! {
                    () = &mut again => break,
                    request = members.requests.recv() => if !members.take(request) { return },
                }
            }
        }
    }

    /// A reason with the server's name in it; some transports' reasons have it already.
    fn named(&self, reason: String) -> String {
        let target = self.transport.target();
        if reason.contains(&target) { reason } else { format!("{target}: {reason}") }
    }

    /// One connection, from its making to its end.
    async fn connection(
        &self,
        members: &mut Members,
        backoff: &mut Backoff,
        was_up: &mut bool,
        warned: &mut bool,
    ) -> End {
        let greeted = tokio::time::timeout(CONNECT, self.greet());
        tokio::pin!(greeted);
        let greeted = loop {
            tokio::select! {
                greeted = &mut greeted => break greeted,
                request = members.requests.recv() => if !members.take(request) { return End::Unused },
            }
        };
        let mut connection = match greeted {
            Ok(Ok(connection)) => connection,
            Ok(Err(end)) => return final_at_first(end, *was_up),
            Err(_) => return End::Lost(format!("no answer within {CONNECT:?}")),
        };
        backoff.reset();
        if *warned {
            info!("{}: connected again", self.transport.target());
        }
        (*was_up, *warned) = (true, false);
        let line = Line { frames: connection.outgoing.clone(), far: Arc::default() };
        members.line = Some(line.clone());
        members.tell(|| Signal::Up(line.clone()));
        self.serve(members, &mut connection, &line).await
    }

    /// Connects, and exchanges the first frames.
    async fn greet(&self) -> Result<Connection, End> {
        let end = |error: ConnectError| match error {
            ConnectError::Unreachable(reason) => End::Lost(reason),
            ConnectError::Untrusted(reason) => End::Refused(reason),
        };
        let mut connection = self.transport.connect().await.map_err(end)?;
        let hello = wire::Hello {
            version: wire::VERSION,
            software: wire::SOFTWARE.into(),
            site: self.site.clone().unwrap_or_default(),
        };
        let hello = SiteFrame { frame: Some(site_frame::Frame::Hello(hello)) };
        // A connection that is gone already says why in its incoming channel.
        let _ = connection.outgoing.send(hello).await;
        let first = match connection.incoming.next().await {
            Some(Ok(first)) => first.frame,
            Some(Err(error)) => return Err(end(error)),
            None => return Err(End::Lost("the server closed the connection without a word".into())),
        };
        match first {
            Some(server_frame::Frame::Welcome(welcome)) if welcome.version == wire::VERSION => Ok(connection),
            Some(server_frame::Frame::Welcome(welcome)) => Err(End::Refused(format!(
                "the server speaks version {} of the wire format, and this site {}: run the same release at both",
                welcome.version,
                wire::VERSION
            ))),
            Some(server_frame::Frame::Refused(refused)) => Err(match refused.retry_after_ns {
                Some(after) => End::Later(refused.reason, Duration::from_nanos(after)),
                None => End::Refused(refused.reason),
            }),
            _ => Err(End::Refused("the server did not greet as a fedtail server does".into())),
        }
    }

    /// Carries frames and beats until the connection is gone.
    async fn serve(&self, members: &mut Members, connection: &mut Connection, line: &Line) -> End {
        let mut interval = members.liveness_interval(self.liveness_interval);
        let mut silence = (interval * SILENT_INTERVALS).max(SHORTEST_SILENCE);
        let mut beats = beats(interval);
        let mut heard = Instant::now();
        let mut beat = Pulse { number: 0, sent: heard, fastest: Duration::MAX };
        loop {
            tokio::select! {
                frame = connection.incoming.next() => {
                    heard = Instant::now();
                    match frame {
                        Some(Ok(frame)) => match frame.frame {
                            Some(server_frame::Frame::Beat(answer)) if answer.number == beat.number => {
                                beat.fastest = beat.fastest.min(beat.sent.elapsed());
                                line.far.store(beat.fastest > FAR, Ordering::Relaxed);
                                if beat.number < FIRST_BEATS && beat.next(connection).is_err() {
                                    return End::Lost("the connection broke".into());
                                }
                            }
                            Some(server_frame::Frame::Beat(_)) => {}
                            Some(frame) => route(members, frame),
                            None => debug!("a frame from a later version of the server is passed over"),
                        },
                        Some(Err(error)) => return End::Lost(error.to_string()),
                        None => return End::Lost("the server closed the connection".into()),
                    }
                }
                request = members.requests.recv() => {
                    if !members.take(request) {
                        return End::Unused;
                    }
                    let now = members.liveness_interval(self.liveness_interval);
                    if now != interval {
                        interval = now;
                        silence = (interval * SILENT_INTERVALS).max(SHORTEST_SILENCE);
                        beats = self::beats(interval);
                    }
                }
                _ = beats.tick() => {
                    if beat.next(connection).is_err() {
                        return End::Lost("the connection broke".into());
                    }
                }
                () = tokio::time::sleep_until(heard + silence) => {
                    return End::Lost(format!("no sign of life from the server for {silence:?}"));
                }
            }
        }
    }
}

/// Ticks at once, and then in this interval.
fn beats(interval: Duration) -> tokio::time::Interval {
    let mut beats = tokio::time::interval(interval);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beats
}

/// The beats of one connection.
struct Pulse {
    number: u64,
    sent: Instant,
    fastest: Duration,
}

impl Pulse {
    fn next(&mut self, connection: &Connection) -> Result<(), Gone> {
        self.number += 1;
        self.sent = Instant::now();
        let frame = site_frame::Frame::Beat(wire::Beat { number: self.number });
        connection.outgoing.urgent(SiteFrame { frame: Some(frame) })
    }
}

/// A server that was trusted before may be replaced or repaired: what would be final at the first attempt is then tried
/// again.
fn final_at_first(end: End, was_up: bool) -> End {
    match end {
        End::Refused(reason) if was_up => End::Lost(reason),
        end => end,
    }
}

/// Hands a frame to its stream; one that is over has no use for it.
fn route(members: &Members, frame: server_frame::Frame) {
    let stream = match &frame {
        server_frame::Frame::Opened(frame) => frame.stream,
        server_frame::Frame::OpenRefused(frame) => frame.stream,
        server_frame::Frame::Ack(frame) => frame.stream,
        server_frame::Frame::Closed(frame) => frame.stream,
        server_frame::Frame::Stalled(frame) => frame.stream,
        _ => return,
    };
    if let Some(stream) = members.streams.get(&stream) {
        let _ = stream.signals.send(Signal::Frame(frame));
    }
}
