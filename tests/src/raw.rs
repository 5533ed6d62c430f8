//! A site that speaks the wire format by itself, and so can say what the program never would.

use std::net::SocketAddr;

use fedtail::wire::link_client::LinkClient;
use fedtail::wire::{self, SiteFrame, server_frame, site_frame};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

use crate::PATIENCE;

/// A connection. It sends what it is told and nothing else, in particular no beats.
pub struct Raw {
    runtime: Runtime,
    to_server: mpsc::Sender<SiteFrame>,
    from_server: Streaming<wire::ServerFrame>,
}

impl Raw {
    /// Connects to a server without TLS, and does not greet it.
    pub fn connect(address: SocketAddr) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let (to_server, frames) = mpsc::channel(16);
        let connected = runtime.block_on(async {
            let channel = Endpoint::from_shared(format!("http://{address}")).expect("a URL").connect().await;
            LinkClient::new(channel.expect("the server is there")).connect(ReceiverStream::new(frames)).await
        });
        let from_server = connected.expect("the server takes a connection").into_inner();
        Self { runtime, to_server, from_server }
    }

    /// Connects, and greets as a site of this name does.
    pub fn greeted(address: SocketAddr, site: &str) -> Self {
        let mut raw = Self::connect(address);
        let hello = raw.hello(wire::VERSION, site);
        assert!(matches!(hello, Some(server_frame::Frame::Welcome(_))), "the server was to greet: {hello:?}");
        raw
    }

    /// Greets, and returns the answer.
    pub fn hello(&mut self, version: u32, site: &str) -> Option<server_frame::Frame> {
        let hello = wire::Hello { version, software: "a test".into(), site: site.into() };
        self.send(site_frame::Frame::Hello(hello));
        self.answer()
    }

    /// Opens stream 1 for a log, heard every second at least, and returns the answer.
    pub fn open(&mut self, job: &str, log: &str) -> Option<server_frame::Frame> {
        self.send(site_frame::Frame::Open(wire::Open {
            stream: 1,
            job: job.into(),
            log: log.into(),
            instance: vec![7; 16].into(),
            liveness_interval_ns: 1_000_000_000,
            policy_digest: vec![0; 32].into(),
        }));
        self.answer()
    }

    /// Sends one frame.
    pub fn send(&self, frame: site_frame::Frame) {
        let sent = self.to_server.try_send(SiteFrame { frame: Some(frame) });
        sent.unwrap_or_else(|e| panic!("a frame is not sent: {e}"));
    }

    /// The next frame of the server; none if it has ended the connection.
    pub fn answer(&mut self) -> Option<server_frame::Frame> {
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, self.from_server.message()).await });
        let frame = answer.unwrap_or_else(|_| panic!("no frame came within {PATIENCE:?}"));
        frame.expect("the connection holds")?.frame
    }
}
