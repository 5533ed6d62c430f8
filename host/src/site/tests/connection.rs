//! How often a server hears of a site.

use std::sync::Mutex;

use super::*;
use crate::transport::{Connecting, Connection, FrameReceiver, FrameSender, lanes};
use crate::wire::{self, ServerFrame, SiteFrame, server_frame, site_frame};
use tokio_stream::StreamExt;

/// A connection whose other end the test has.
struct Held(Mutex<Option<Connection>>);

impl Transport for Held {
    fn connect(&self) -> Connecting<'_> {
        let connection = self.0.lock().unwrap().take();
        Box::pin(async { connection.ok_or(crate::transport::ConnectError::Unreachable("there was one".into())) })
    }

    fn target(&self) -> String {
        "the test".into()
    }
}

/// The number of the next beat, whatever else is said before it.
async fn beat(from_site: &mut FrameReceiver<SiteFrame>) -> u64 {
    let beat = async {
        loop {
            let frame = from_site.recv().await.expect("the connection holds").frame;
            if let Some(site_frame::Frame::Beat(beat)) = frame {
                return beat.number;
            }
        }
    };
    tokio::time::timeout(PATIENCE, beat).await.expect("a beat comes")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_heard_as_often_as_its_most_eager_stream_needs() {
    let directory = tempfile::tempdir().unwrap();
    let (outgoing, mut from_site) = lanes();
    let (to_site, incoming): (FrameSender<ServerFrame>, _) = lanes();
    let held = Held(Mutex::new(Some(Connection { outgoing, incoming: Box::pin(incoming.map(Ok)) })));
    let site = Site::builder(held).liveness_interval(Duration::from_secs(3600)).start().unwrap();
    let welcome = wire::Welcome { version: wire::VERSION, software: String::new() };
    to_site.send(ServerFrame { frame: Some(server_frame::Frame::Welcome(welcome)) }).await.unwrap();
    assert_eq!(beat(&mut from_site).await, 1, "the first beat of a connection");
    let log = LogFile::new(directory.path().join("log"), JobName::new("job").unwrap());
    let eager = log.clone().liveness_interval(Duration::from_millis(20));
    let _stream = site.stream(eager).unwrap();
    // Nobody answers the beats, and an answer is what the first few of a connection follow each other by.
    for number in 2..10 {
        assert_eq!(beat(&mut from_site).await, number);
    }
    let never = site.stream(log.poll_interval(Duration::ZERO)).map(drop).unwrap_err().to_string();
    assert_eq!(never, "the poll interval is 0: give a time like 10s or 500ms");
}
