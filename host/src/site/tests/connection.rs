//! The one connection of a site, whose other end the test has.

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

/// A site on a connection that is greeted, and the other end.
async fn connected(liveness_interval: Duration) -> (Site, FrameReceiver<SiteFrame>, FrameSender<ServerFrame>) {
    let (outgoing, mut from_site) = lanes();
    let (to_site, incoming): (FrameSender<ServerFrame>, _) = lanes();
    let held = Held(Mutex::new(Some(Connection { outgoing, incoming: Box::pin(incoming.map(Ok)) })));
    let site = Site::builder(held).liveness_interval(liveness_interval).start().unwrap();
    let welcome = wire::Welcome { version: wire::VERSION, software: String::new() };
    to_site.send(ServerFrame { frame: Some(server_frame::Frame::Welcome(welcome)) }).await.unwrap();
    assert_eq!(beat(&mut from_site).await, 1, "the first beat of a connection");
    (site, from_site, to_site)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_heard_as_often_as_its_most_eager_stream_needs() {
    let directory = tempfile::tempdir().unwrap();
    let (site, mut from_site, _to_site) = connected(Duration::from_secs(3600)).await;
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

#[tokio::test(flavor = "multi_thread")]
async fn a_site_that_is_closed_has_ended_its_connection_once_its_streams_are_over() {
    let directory = tempfile::tempdir().unwrap();
    let (site, mut from_site, _to_site) = connected(Duration::from_secs(3600)).await;
    let stream = site.stream(LogFile::new(directory.path().join("log"), JobName::new("job").unwrap())).unwrap();
    let mut closing = tokio::spawn(site.close());
    let waits = tokio::time::timeout(Duration::from_millis(100), &mut closing).await;
    assert!(waits.is_err(), "a stream is open");
    drop(stream);
    tokio::time::timeout(PATIENCE, closing).await.expect("it is closed").unwrap();
    // What was said before is still to be read, and then there is nothing.
    while tokio::time::timeout(PATIENCE, from_site.recv()).await.expect("the connection is over").is_some() {}
}
