//! One stream on a task of its own: real time, real file events and the real link around a [`Driver`].

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tracing::error;

use super::driver::{Driver, Event};
use super::link::{Line, Request, Signal};
use super::outcome::{Ending, Outcome};
use super::turnover::Turnover;
use crate::clock::Clock;
use crate::source::Subscription;
use crate::turn::{SHORT_BYTES, Turn, awaited, turn};
use crate::wire::{SiteFrame, compression, server_frame, site_frame};

/// Frames that wait for the link before the policy is stepped again: enough to keep the link busy during a step.
const AHEAD: usize = 8;

/// How long the last words of a stream that is given up may wait for the link and the server.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the holder of a [`Stream`](super::Stream) says.
pub enum Order {
    Stop,
    Abort(String),
}

/// How the stream stands, as its holder sees it.
#[derive(Debug, Clone)]
pub enum Status {
    /// It runs; what it waits for, and the bytes that are stored.
    Running { waiting_for: String, stored: u64 },
    /// It is over.
    Ended(Outcome),
}

/// What a stream's task works with.
pub struct Task {
    pub number: u32,
    pub clock: Arc<dyn Clock>,
    pub orders: mpsc::UnboundedReceiver<Order>,
    pub signals: mpsc::UnboundedReceiver<Signal>,
    pub changed: Arc<Notify>,
    /// Kept for as long as the stream wants events.
    pub _subscription: Subscription,
    pub link: mpsc::UnboundedSender<Request>,
    pub status: watch::Sender<Status>,
    pub turnover: Turnover,
}

/// What woke the task.
enum Woken {
    Event(Event),
    Line(Option<Line>),
    GoOn,
    /// A frame went out.
    Sent,
    /// Nobody holds the stream any more.
    Abandoned,
}

impl Task {
    /// Runs the stream to its end.
    pub async fn run(mut self, driver: Driver) {
        let mut line: Option<Line> = None;
        // In a box, since each turn takes it and gives it back.
        let mut next = Some(Box::new(driver));
        while let Some(mut driver) = next.take() {
            if let Some(outcome) = driver.outcome().cloned() {
                let farewell = farewell(&mut driver, line.as_ref(), &mut self.signals);
                // A server that does not listen is left all the same.
                let _ = tokio::time::timeout(FAREWELL, farewell).await;
                self.status.send_replace(Status::Ended(outcome));
                break;
            }
            let (woken, waited) = awaited(self.next(&mut driver, line.as_ref())).await;
            let event = match woken {
                Woken::Sent => {
                    next = Some(driver);
                    continue;
                }
                Woken::Abandoned => break,
                Woken::GoOn => None,
                Woken::Event(event) => Some(event),
                Woken::Line(now) => {
                    line = now;
                    Some(if line.is_some() { Event::LinkUp } else { Event::LinkDown })
                }
            };
            let compress = line.as_ref().is_some_and(Line::is_slow);
            driver.server_is_near(line.as_ref().is_some_and(Line::is_near));
            let length = length(&mut driver, event.as_ref());
            // What is new in the log changes nothing about how the stream stands with the server.
            let stands = !matches!(event, None | Some(Event::Changed | Event::Timer));
            match turn(length, waited, move || step(driver, event, compress)).await {
                Ok(mut driver) => {
                    self.turnover.look(&mut driver);
                    if stands {
                        let now = Status::Running { waiting_for: driver.waiting_for(), stored: driver.stored() };
                        // Nobody waits for this; whoever loses patience reads it.
                        self.status.send_if_modified(|status| {
                            *status = now;
                            false
                        });
                    }
                    next = Some(driver);
                }
                Err(defect) => {
                    error!("a stream ended by a defect of the host: {defect}");
                    let reason = "a defect of the host ended it; what the server has stays there".into();
                    let outcome = Outcome { ending: Ending::Failed, reason, stored: 0, gaps: Vec::new() };
                    self.status.send_replace(Status::Ended(outcome));
                }
            }
        }
        // The link may be gone already.
        let _ = self.link.send(Request::Leave(self.number));
    }

    /// Waits for the next thing to do. Sends frames meanwhile.
    async fn next(&mut self, driver: &mut Driver, line: Option<&Line>) -> Woken {
        if driver.can_go_on() && driver.frames().count() < AHEAD {
            return Woken::GoOn;
        }
        let timer = driver.wake_at();
        let sleep = timer.map(|at| Duration::from_nanos(at.saturating_sub(self.clock.now())));
        let has_frames = driver.has_frames();
        tokio::select! {
            // Orders and signals first: a stop must not wait behind a file that changes all the time.
            biased;
            order = self.orders.recv() => match order {
                Some(Order::Stop) => Woken::Event(Event::Stop),
                Some(Order::Abort(reason)) => Woken::Event(Event::Abort(reason)),
                None => Woken::Abandoned,
            },
            signal = self.signals.recv() => match signal {
                Some(Signal::Up(line)) => Woken::Line(Some(line)),
                Some(Signal::Frame(frame)) => Woken::Event(Event::Frame(frame)),
                Some(Signal::Refused(reason)) => Woken::Event(Event::Refused(reason)),
                Some(Signal::Down) => Woken::Line(None),
                None => Woken::Event(Event::Refused("the site's connection ended by a defect of the host".into())),
            },
            policy = self.turnover.next() => Woken::Event(policy),
            permit = reserve(line), if has_frames && line.is_some() => match (permit, driver.next_frame()) {
                (Some(permit), Some(frame)) => {
                    permit.send(SiteFrame { frame: Some(frame) });
                    Woken::Sent
                }
                // The link says that it is down in a moment.
                _ => Woken::Line(None),
            },
            () = self.changed.notified() => Woken::Event(Event::Changed),
            () = sleep_for(sleep), if sleep.is_some() => Woken::Event(Event::Timer),
        }
    }
}

/// How long a turn will be. A log that is followed has its lines on their way as soon as they are written.
fn length(driver: &mut Driver, event: Option<&Event>) -> Turn {
    let small = matches!(event, None | Some(Event::Changed | Event::Timer | Event::Frame(server_frame::Frame::Ack(_))));
    if small && driver.unacknowledged() < SHORT_BYTES { Turn::Short } else { Turn::Long }
}

/// One turn of the driver.
fn step(mut driver: Box<Driver>, event: Option<Event>, compress: bool) -> Box<Driver> {
    match event {
        Some(event) => driver.handle(event),
        None => driver.go_on(),
    }
    if compress {
        for frame in driver.frames() {
            if let site_frame::Frame::Data(data) = frame {
                compression::compress(data);
            }
        }
    }
    driver
}

async fn reserve(line: Option<&Line>) -> Option<mpsc::Permit<'_, SiteFrame>> {
    line?.frames.reserve().await.ok()
}

/// Without a time it never ends; the caller does not wait for it then.
async fn sleep_for(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Sends what the driver has to say at its end, as long as the link takes it, and waits until the server has heard it: the
/// process may end next.
async fn farewell(driver: &mut Driver, line: Option<&Line>, signals: &mut mpsc::UnboundedReceiver<Signal>) {
    let Some(line) = line else { return };
    let mut says_why = false;
    while let Some(frame) = driver.next_frame() {
        says_why |= matches!(frame, site_frame::Frame::End(_));
        if line.frames.send(SiteFrame { frame: Some(frame) }).await.is_err() {
            return;
        }
    }
    if !says_why {
        return;
    }
    while let Some(signal) = signals.recv().await {
        if matches!(signal, Signal::Frame(server_frame::Frame::Closed(_)) | Signal::Down | Signal::Refused(_)) {
            return;
        }
    }
}
