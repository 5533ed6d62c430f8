//! Frames as messages of bytes, over a channel that the embedding runtime has.
//!
//! The runtime brings for each connection something that sends, a [`MessageSender`], and hands over what it receives through
//! a [`Delivery`]; the same at both ends. Messages must arrive in order, each once and whole; a channel that can't say that
//! of one any more ends the connection, and the site makes another. Both directions push back: a sender is given the next
//! message when the one before is sent, and [`Delivery::deliver`] waits while there is no room.

#[cfg(test)]
mod tests;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use prost::Message;
use tokio::sync::{mpsc, watch};
use tracing::warn;

use super::{ConnectError, Connecting, Connection, FrameReceiver, Transport, lanes};
use crate::server::{Peer, Server};
use crate::wire::{ServerFrame, SiteFrame};

/// The largest message in bytes that is sent or taken: a chunk and its frame.
pub const LARGEST_MESSAGE: usize = 1 << 20;

/// Messages that were handed over and wait to be read. The credits of the logs bound what is on its way; this is what keeps
/// the reader busy.
const WAITING: usize = 8;

/// How long each of the last words may wait for room once the connection is over.
const FAREWELL: Duration = Duration::from_secs(1);

/// The future of something that was sent: ready when there is room for the next message. An error says in words why the
/// channel is gone.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Sends the messages of one connection. Dropped when the connection is over.
pub trait MessageSender: Send + 'static {
    /// Sends one message behind those before it.
    fn send(&mut self, message: Bytes) -> Sending<'_>;
}

/// The future of a channel.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Box<dyn MessageSender>, ConnectError>> + Send + 'a>>;

/// Opens channels to one server: what a site needs.
pub trait MessageChannel: Send + Sync + 'static {
    /// Opens one. What the server sends on it is handed to `delivery`.
    fn open(&self, delivery: Delivery) -> Opening<'_>;
    /// Where it leads to, for messages.
    fn target(&self) -> String;
}

/// The connection is gone; why, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the connection is gone: {0}")]
pub struct Disconnected(pub String);

/// Hands the received messages of one connection to the host. Cheap to clone.
#[derive(Clone)]
pub struct Delivery {
    messages: mpsc::Sender<Bytes>,
    /// Why the connection is over, once it is.
    over: Arc<watch::Sender<Option<String>>>,
}

impl Delivery {
    /// Hands over the next message. Waits while there is no room.
    ///
    /// # Errors
    ///
    /// The connection is over.
    pub async fn deliver(&self, message: Bytes) -> Result<(), Disconnected> {
        if self.is_closed() {
            return Err(self.gone());
        }
        tokio::select! {
            sent = self.messages.send(message) => sent.map_err(|_| self.gone()),
            () = self.closed() => Err(self.gone()),
        }
    }

    /// Hands over the next message if there is room, else gives it back.
    ///
    /// # Errors
    ///
    /// The connection is over.
    pub fn try_deliver(&self, message: Bytes) -> Result<Option<Bytes>, Disconnected> {
        if self.is_closed() {
            return Err(self.gone());
        }
        match self.messages.try_send(message) {
            Ok(()) => Ok(None),
            Err(mpsc::error::TrySendError::Full(message)) => Ok(Some(message)),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(self.gone()),
        }
    }

    /// Whether the connection is over.
    pub fn is_closed(&self) -> bool {
        self.over.borrow().is_some() || self.messages.is_closed()
    }

    /// The channel broke, in words. What was handed over before is still read.
    pub fn close(&self, reason: &str) {
        self.over.send_if_modified(|over| {
            let first = over.is_none();
            over.get_or_insert_with(|| reason.to_owned());
            first
        });
    }

    /// Waits until the connection is over, whoever ended it.
    pub async fn closed(&self) {
        let mut over = self.over.subscribe();
        tokio::select! {
            // The sender is here, so it does not fail.
            _ = over.wait_for(Option::is_some) => {}
            () = self.messages.closed() => {}
        }
    }

    fn gone(&self) -> Disconnected {
        let reason = self.over.borrow().clone();
        Disconnected(reason.unwrap_or_else(|| "the other end of it here was closed".into()))
    }
}

/// Frames out of messages. Ends with an error in words where a message is no frame, or the channel broke.
struct Inbound<T> {
    messages: mpsc::Receiver<Bytes>,
    over: Arc<watch::Sender<Option<String>>>,
    /// Ready once the channel broke.
    broken: Pin<Box<dyn Future<Output = ()> + Send>>,
    failed: bool,
    frames: std::marker::PhantomData<fn() -> T>,
}

fn inbound<T>() -> (Delivery, Inbound<T>) {
    let (to, messages) = mpsc::channel(WAITING);
    let over = Arc::new(watch::Sender::new(None));
    let mut seen = over.subscribe();
    let broken = Box::pin(async move {
        let _ = seen.wait_for(Option::is_some).await;
    });
    let inbound = Inbound { messages, over: over.clone(), broken, failed: false, frames: std::marker::PhantomData };
    (Delivery { messages: to, over }, inbound)
}

impl<T: Message + Default> Inbound<T> {
    /// The next frame, or in words why there is none; nothing when all that could hand over messages is gone.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<T, String>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let failure = match self.messages.poll_recv(context) {
            Poll::Ready(Some(message)) => match frame(message) {
                Ok(frame) => return Poll::Ready(Some(Ok(frame))),
                Err(reason) => {
                    self.over.send_if_modified(|over| over.replace(reason.clone()).is_none());
                    reason
                }
            },
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => match self.broken.as_mut().poll(context) {
                Poll::Ready(()) => self.over.borrow().clone().unwrap_or_default(),
                Poll::Pending => return Poll::Pending,
            },
        };
        self.failed = true;
        self.messages.close();
        Poll::Ready(Some(Err(failure)))
    }
}

impl<T: Message + Default> Stream for Inbound<T> {
    type Item = Result<T, String>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Inbound::poll(&mut self, context)
    }
}

fn frame<T: Message + Default>(message: Bytes) -> Result<T, String> {
    if message.len() > LARGEST_MESSAGE {
        return Err(format!(
            "a message of {} bytes came, and the largest of fedtail has {LARGEST_MESSAGE}: what carries the messages may have \
             joined some",
            message.len()
        ));
    }
    let bytes = message.len();
    T::decode(message).map_err(|error| {
        format!(
            "a message of {bytes} bytes came that is no frame of fedtail ({error}): it was damaged on its way, or is \
             another program's"
        )
    })
}

/// Sends frames as messages until the connection is over, and what waits then.
async fn carry<T: Message>(mut frames: FrameReceiver<T>, mut sender: Box<dyn MessageSender>, delivery: Delivery) {
    loop {
        let frame = tokio::select! {
            frame = frames.recv() => frame,
            () = delivery.closed() => break,
        };
        let Some(frame) = frame else { break };
        if !send(&mut *sender, &frame, &delivery).await {
            return;
        }
    }
    // The last words, such as why a connection is refused, are there before its end is known.
    while let Some(frame) = frames.try_recv() {
        if !send(&mut *sender, &frame, &delivery).await {
            return;
        }
    }
}

/// Sends one frame; false when nothing can be sent any more.
async fn send(sender: &mut dyn MessageSender, frame: &impl Message, delivery: &Delivery) -> bool {
    let mut sending = sender.send(frame.encode_to_vec().into());
    let sent = tokio::select! {
        sent = &mut sending => sent,
        () = delivery.closed() => match tokio::time::timeout(FAREWELL, sending).await {
            Ok(sent) => sent,
            Err(_) => return false,
        },
    };
    if let Err(reason) = &sent {
        delivery.close(reason);
    }
    sent.is_ok()
}

/// A site's transport over such channels.
pub struct MessageTransport<C>(C);

impl<C: MessageChannel> MessageTransport<C> {
    /// Makes connections over channels that this opens.
    pub fn new(channel: C) -> Self {
        Self(channel)
    }
}

impl<C: MessageChannel> Transport for MessageTransport<C> {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let (delivery, incoming) = inbound::<ServerFrame>();
            let sender = self.0.open(delivery.clone()).await?;
            let (outgoing, frames) = lanes::<SiteFrame>();
            tokio::spawn(carry(frames, sender, delivery));
            let incoming = tokio_stream::StreamExt::map(incoming, |frame| frame.map_err(ConnectError::Unreachable));
            Ok(Connection { outgoing, incoming: Box::pin(incoming) })
        })
    }

    fn target(&self) -> String {
        self.0.target()
    }
}

/// Serves one connection of a site over such a channel, on the current tokio runtime, until it ends. `peer` is who the
/// runtime knows the site to be; what the site sends is handed to what this returns.
pub fn serve(server: &Server, peer: Peer, sender: Box<dyn MessageSender>) -> Delivery {
    let (delivery, incoming) = inbound::<SiteFrame>();
    let (to_site, frames) = lanes::<ServerFrame>();
    tokio::spawn(carry(frames, sender, delivery.clone()));
    let server = server.clone();
    tokio::spawn(async move {
        let incoming = tokio_stream::StreamExt::map_while(incoming, |frame| {
            frame.inspect_err(|reason| warn!("a site's connection is over: {reason}")).ok()
        });
        server.serve(peer, incoming, to_site).await;
    });
    delivery
}
