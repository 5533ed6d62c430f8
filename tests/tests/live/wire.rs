//! The wire format's version, which both sides check, and connections that do not begin as they should.

use std::pin::Pin;

use fedtail::wire::link_server::{Link, LinkServer};
use fedtail::wire::{self, ServerFrame, SiteFrame, server_frame, site_frame};
use fedtail_tests::{Place, Raw, Server, Target, append, contents, stream};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, Streaming};

/// A site of another version is refused in words that name both versions.
#[test]
fn a_server_refuses_a_version_that_it_does_not_know() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let answer = Raw::connect(server.address).hello(99, "site-1");
    let Some(server_frame::Frame::Refused(refused)) = answer else { panic!("{answer:?}") };
    assert_eq!(
        refused.reason,
        "this server speaks version 1 of the wire format, and the site (a test) version 99: run the same release at both"
    );
    assert_eq!(refused.retry_after_ns, None, "for good");
    server.process.says("a connection is refused: this server speaks version 1 of the wire format");
    assert!(contents(&place.store()).is_empty());
}

/// A server of another version: greets with it, and says nothing more.
struct OfAnotherVersion;

#[tonic::async_trait]
impl Link for OfAnotherVersion {
    type ConnectStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<ServerFrame, Status>> + Send>>;

    async fn connect(&self, _site: Request<Streaming<SiteFrame>>) -> Result<Response<Self::ConnectStream>, Status> {
        let welcome = wire::Welcome { version: 99, software: "fedtail 99".into() };
        let frame = ServerFrame { frame: Some(server_frame::Frame::Welcome(welcome)) };
        Ok(Response::new(Box::pin(tokio_stream::once(Ok(frame)))))
    }
}

/// A site whose server speaks another version says so and ends: nothing of the log is sent.
#[test]
fn a_site_refuses_a_version_that_it_does_not_know() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = TcpListenerStream::new(listener);
    let service = tonic::transport::Server::builder().add_service(LinkServer::new(OfAnotherVersion));
    runtime.spawn(service.serve_with_incoming(incoming));
    let exit = stream(&Target::without_tls(address, "site-1"), "job-1", &[], &log).ends().with_code(3);
    exit.line(
        "log.txt refused, 0 bytes at the server: the server speaks version 99 of the wire format, and this site 1: run the \
         same release at both",
    );
}

/// A connection that does not begin with a greeting is refused in words, and so is one that greets twice.
#[test]
fn a_connection_that_does_not_greet_once_is_refused() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let mut rude = Raw::connect(server.address);
    let answer = rude.open("job-1", "log.txt");
    let Some(server_frame::Frame::Refused(refused)) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.reason, "the connection did not begin with a greeting");
    assert!(rude.answer().is_none(), "nothing follows");

    let mut twice = Raw::greeted(server.address, "site-1");
    let answer = twice.hello(wire::VERSION, "site-2");
    let Some(server_frame::Frame::Refused(refused)) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.reason, "a second greeting came");
    assert!(contents(&place.store()).is_empty());
}

/// Frames for streams that nobody opened, or of an older opening, change nothing and harm nobody.
#[test]
fn frames_of_no_stream_are_passed_over() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let mut raw = Raw::greeted(server.address, "site-1");
    let data = |epoch| wire::Data {
        stream: 1,
        epoch,
        seq: 1,
        payload: b"evil".as_slice().into(),
        length: 4,
        ..Default::default()
    };
    raw.send(site_frame::Frame::Data(data(1)));
    let Some(server_frame::Frame::Opened(opened)) = raw.open("job-1", "log.txt") else { panic!("it is opened") };
    raw.send(site_frame::Frame::Data(data(opened.epoch + 1)));
    raw.send(site_frame::Frame::End(wire::End { stream: 1, epoch: opened.epoch, ..Default::default() }));
    let answer = raw.answer();
    let Some(server_frame::Frame::Closed(closed)) = answer else { panic!("{answer:?}") };
    assert_eq!((closed.kind(), closed.stored), (wire::EndKind::Complete, 0));
    assert_eq!(server.ended("job-1/site-1/log.txt", "complete"), "complete, 0 bytes");
}
