//! A site and a server over a channel of messages, with real files.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use tokio_stream::StreamExt;

use super::*;
use crate::names::{JobName, SiteName};
use crate::site::{Ending, LogFile, Site};
use crate::wire::{self, server_frame, site_frame};

const PATIENCE: Duration = Duration::from_secs(60);

/// Sends through a queue with room for one message.
struct Queue(mpsc::Sender<Bytes>);

impl MessageSender for Queue {
    fn send(&mut self, message: Bytes) -> Sending<'_> {
        Box::pin(async { self.0.send(message).await.map_err(|_| "the queue is gone".into()) })
    }
}

/// A sender, and a task that hands what it sends over at the other end.
fn queue(to: Delivery) -> Box<dyn MessageSender> {
    let (sender, mut messages) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(message) = messages.recv().await {
            if to.deliver(message).await.is_err() {
                return;
            }
        }
    });
    Box::new(Queue(sender))
}

/// Opens queues to a server of this process, as a site.
struct Queues {
    server: Server,
    /// What breaks the connection that was made last, at both ends.
    last: Arc<Mutex<Vec<Delivery>>>,
}

impl Queues {
    fn new(server: &Server) -> Self {
        Self { server: server.clone(), last: Arc::default() }
    }
}

impl MessageChannel for Queues {
    fn open(&self, to_site: Delivery) -> Opening<'_> {
        Box::pin(async move {
            let peer = Peer::site(SiteName::new("site").unwrap());
            let to_server = serve(&self.server, peer, queue(to_site.clone()));
            *self.last.lock().unwrap() = vec![to_site, to_server.clone()];
            Ok(queue(to_server))
        })
    }

    fn target(&self) -> String {
        "queues".into()
    }
}

fn server(store: &Path) -> Server {
    Server::builder(store).start().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_arrives_whole_over_a_channel_that_breaks_again_and_again() {
    let directory = tempfile::tempdir().unwrap();
    let (store, log) = (directory.path().join("store"), directory.path().join("log"));
    let server = server(&store);
    let queues = Queues::new(&server);
    let last = queues.last.clone();
    let lines: String = (0..200_000).map(|number| format!("line {number} of a log that is long enough\n")).collect();
    std::fs::write(&log, &lines).unwrap();
    let site = Site::builder(MessageTransport::new(queues)).start().unwrap();
    let mut commits = server.commits();
    let stream = site.stream(LogFile::new(&log, JobName::new("job").unwrap())).unwrap();
    for end in [0, 1, 0] {
        tokio::time::timeout(PATIENCE, commits.changed()).await.unwrap().unwrap();
        last.lock().unwrap()[end].close("the cable was cut");
    }
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(std::fs::read_to_string(store.join("job/site/log")).unwrap(), lines);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_frame_ends_the_connection_in_words_and_the_frames_before_it_count() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(&directory.path().join("store"));
    let hello = wire::Hello { version: wire::VERSION, ..wire::Hello::default() };
    let hello = Bytes::from(SiteFrame { frame: Some(site_frame::Frame::Hello(hello)) }.encode_to_vec());
    for (message, words) in [
        (Bytes::from_static(b"not a frame"), "a message of 11 bytes came that is no frame of fedtail"),
        (
            Bytes::from(vec![0; LARGEST_MESSAGE + 1]),
            "a message of 1048577 bytes came, and the largest of fedtail has 1048576",
        ),
    ] {
        let (answers, mut from_server) = mpsc::channel(8);
        let delivery = serve(&server, Peer::site(SiteName::new("site").unwrap()), Box::new(Queue(answers)));
        delivery.deliver(hello.clone()).await.unwrap();
        delivery.deliver(message).await.unwrap();
        tokio::time::timeout(PATIENCE, delivery.closed()).await.unwrap();
        let gone = delivery.deliver(hello.clone()).await.unwrap_err().to_string();
        assert!(gone.starts_with(&format!("the connection is gone: {words}")), "{gone}");
        let welcome = ServerFrame::decode(from_server.recv().await.unwrap()).unwrap();
        assert!(matches!(welcome.frame, Some(server_frame::Frame::Welcome(_))));
        assert_eq!(tokio::time::timeout(PATIENCE, from_server.recv()).await.unwrap(), None, "the sender is dropped");
    }
}

#[tokio::test]
async fn messages_wait_for_room_and_what_came_before_the_end_is_read() {
    let (delivery, mut frames) = inbound::<ServerFrame>();
    let message =
        Bytes::from(ServerFrame { frame: Some(server_frame::Frame::Beat(wire::Beat { number: 7 })) }.encode_to_vec());
    for _ in 0..WAITING {
        assert_eq!(delivery.try_deliver(message.clone()).unwrap(), None);
    }
    assert_eq!(delivery.try_deliver(message.clone()).unwrap(), Some(message.clone()), "there is no room");
    let (more, further) = (delivery.clone(), message.clone());
    let waiting = tokio::spawn(async move { more.deliver(further).await });
    assert!(frames.next().await.unwrap().is_ok());
    waiting.await.unwrap().unwrap();
    delivery.close("the cable was cut");
    delivery.close("and something else is wrong");
    for _ in 0..WAITING {
        assert!(frames.next().await.unwrap().is_ok());
    }
    assert_eq!(frames.next().await.unwrap().unwrap_err(), "the cable was cut");
    assert!(frames.next().await.is_none());
    let gone = delivery.deliver(message).await.unwrap_err().to_string();
    assert_eq!(gone, "the connection is gone: the cable was cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_connection_is_refused_is_said_before_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let server = server(&directory.path().join("store"));
    let (answers, mut from_server) = mpsc::channel(8);
    let delivery = serve(&server, Peer::unverified(), Box::new(Queue(answers)));
    let hello = wire::Hello { version: 99, ..wire::Hello::default() };
    let hello = SiteFrame { frame: Some(site_frame::Frame::Hello(hello)) };
    delivery.deliver(hello.encode_to_vec().into()).await.unwrap();
    let answer = tokio::time::timeout(PATIENCE, from_server.recv()).await.unwrap().unwrap();
    let Some(server_frame::Frame::Refused(refused)) = ServerFrame::decode(answer).unwrap().frame else {
        panic!("it is refused");
    };
    assert!(refused.reason.contains("version 99"), "{}", refused.reason);
    tokio::time::timeout(PATIENCE, delivery.closed()).await.unwrap();
}
