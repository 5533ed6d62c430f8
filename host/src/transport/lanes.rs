//! A channel of frames with two lanes: signs of life overtake data.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;

/// Frames of the data lane that wait to be sent. Few, since each can hold a chunk: what keeps the sender busy while
/// the stream's next step runs.
const DATA: usize = 4;
/// Frames of the urgent lane. They are small and rare.
const URGENT: usize = 16;

/// Makes a channel.
pub fn lanes<T>() -> (FrameSender<T>, FrameReceiver<T>) {
    let (data, from_data) = mpsc::channel(DATA);
    let (urgent, from_urgent) = mpsc::channel(URGENT);
    (FrameSender { data, urgent }, FrameReceiver { data: from_data, urgent: from_urgent })
}

/// The sending end. Clones send into the same lanes, and are served in turn.
pub struct FrameSender<T> {
    data: mpsc::Sender<T>,
    urgent: mpsc::Sender<T>,
}

impl<T> Clone for FrameSender<T> {
    fn clone(&self) -> Self {
        Self { data: self.data.clone(), urgent: self.urgent.clone() }
    }
}

/// The connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the connection is gone")]
pub struct Gone;

impl<T> FrameSender<T> {
    /// Sends in order, waiting for room.
    pub async fn send(&self, frame: T) -> Result<(), Gone> {
        self.data.send(frame).await.map_err(|_| Gone)
    }

    /// Waits for room for one frame, so that the frame can be chosen when there is.
    pub async fn reserve(&self) -> Result<mpsc::Permit<'_, T>, Gone> {
        self.data.reserve().await.map_err(|_| Gone)
    }

    /// Whether a frame would have to wait now: the link takes less than there is.
    pub fn is_full(&self) -> bool {
        self.data.capacity() == 0
    }

    /// Overtakes what waits. Where even this lane is full, the connection does not move and the frame is dropped: it is
    /// a sign of life, and another one follows.
    pub fn urgent(&self, frame: T) -> Result<(), Gone> {
        match self.urgent.try_send(frame) {
            Ok(()) | Err(mpsc::error::TrySendError::Full(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Gone),
        }
    }

    /// Waits until the other end is gone.
    pub async fn closed(&self) {
        self.data.closed().await;
    }
}

/// The receiving end.
pub struct FrameReceiver<T> {
    data: mpsc::Receiver<T>,
    urgent: mpsc::Receiver<T>,
}

impl<T> FrameReceiver<T> {
    /// The next frame; none when all senders are gone.
    pub async fn recv(&mut self) -> Option<T> {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    /// The next frame, if it is there already.
    pub fn try_recv(&mut self) -> Option<T> {
        self.urgent.try_recv().or_else(|_| self.data.try_recv()).ok()
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        if let Poll::Ready(Some(frame)) = self.urgent.poll_recv(context) {
            return Poll::Ready(Some(frame));
        }
        // A sender has both lanes, so they end together.
        self.data.poll_recv(context)
    }
}

impl<T> futures_core::Stream for FrameReceiver<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        self.poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sign_of_life_overtakes_data_that_waits() {
        let (sender, mut receiver) = lanes();
        sender.send("data").await.unwrap();
        sender.urgent("beat").unwrap();
        assert_eq!(receiver.recv().await, Some("beat"));
        assert_eq!(receiver.recv().await, Some("data"));
        drop(sender);
        assert_eq!(receiver.recv().await, None);
    }

    #[tokio::test]
    async fn a_full_urgent_lane_drops_and_does_not_block() {
        let (sender, mut receiver) = lanes();
        for number in 0..URGENT + 5 {
            sender.urgent(number).unwrap();
        }
        drop(sender);
        let mut got = Vec::new();
        while let Some(number) = receiver.recv().await {
            got.push(number);
        }
        assert_eq!(got, (0..URGENT).collect::<Vec<_>>());
    }
}
