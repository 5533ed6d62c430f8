//! How frames get from a site to a server and back.
//!
//! A [`Transport`] makes connections; a connection is two ordered channels of frames. Three exist: [`InProcess`],
//! [`grpc`], and [`messages`] for an embedding runtime that has a channel of its own for bytes. The server's end is handed to
//! [`Server::serve`](crate::server::Server::serve) with the identity that was authenticated.

pub mod grpc;
mod in_process;
mod lanes;
pub mod messages;

use std::future::Future;
use std::pin::Pin;

pub use in_process::InProcess;
pub use lanes::{FrameReceiver, FrameSender, Gone, lanes};

use crate::wire::{ServerFrame, SiteFrame};

/// One connection, as the site sees it. Either channel that closes means that the connection is gone.
pub struct Connection {
    /// To the server.
    pub outgoing: FrameSender<SiteFrame>,
    /// From the server; an error says how the connection ended.
    pub incoming: Incoming,
}

/// Frames from the server, in order.
pub type Incoming = Pin<Box<dyn futures_core::Stream<Item = Result<ServerFrame, ConnectError>> + Send>>;

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The server is not there, or the connection broke. Tried again.
    #[error("{0}")]
    Unreachable(String),
    /// The two sides do not trust each other, or the configuration is wrong. Trying again would not help.
    #[error("{0}")]
    Untrusted(String),
}

/// The future of a connection.
pub type Connecting<'a> = Pin<Box<dyn Future<Output = Result<Connection, ConnectError>> + Send + 'a>>;

/// Makes connections to one server.
pub trait Transport: Send + Sync + 'static {
    /// Makes one. Called again, after a pause, whenever the one before is gone.
    fn connect(&self) -> Connecting<'_>;
    /// Where it connects to, for messages.
    fn target(&self) -> String;
}
