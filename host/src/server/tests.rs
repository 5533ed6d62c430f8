//! A server and what says the words of a site to it, frame by frame.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::*;
use crate::transport::{FrameReceiver, lanes};
use crate::wire::{self, EndKind, Position, Progress, server_frame, site_frame};

const PATIENCE: Duration = Duration::from_secs(60);

/// A site's end of one connection.
struct Wire {
    to_server: FrameSender<SiteFrame>,
    from_server: FrameReceiver<ServerFrame>,
    epoch: u64,
    seq: u64,
    base: u64,
}

impl Wire {
    /// Connects as `site`, and greets.
    async fn connect(server: &Server) -> Self {
        let (to_server, frames) = lanes();
        let (answers, from_server) = lanes();
        let (server, peer) = (server.clone(), Peer::site(SiteName::new("site").unwrap()));
        tokio::spawn(async move { server.serve(peer, frames, answers).await });
        let mut wire = Self { to_server, from_server, epoch: 0, seq: 0, base: 0 };
        let hello = wire::Hello { version: wire::VERSION, ..wire::Hello::default() };
        wire.send(site_frame::Frame::Hello(hello)).await;
        assert!(matches!(wire.answer().await, server_frame::Frame::Welcome(_)));
        wire
    }

    async fn send(&self, frame: site_frame::Frame) {
        self.to_server.send(SiteFrame { frame: Some(frame) }).await.unwrap();
    }

    async fn answer(&mut self) -> server_frame::Frame {
        let answer = tokio::time::timeout(PATIENCE, self.from_server.recv()).await;
        answer.expect("an answer comes").expect("the connection holds").frame.expect("a frame is something")
    }

    /// Opens the log as this run of a site.
    async fn open(&mut self, instance: &'static [u8]) {
        let open = wire::Open {
            stream: 1,
            job: "job".into(),
            log: "log".into(),
            instance: Bytes::from_static(instance),
            liveness_interval_ns: 1_000_000,
            policy_digest: Bytes::from_static(&[7; 32]),
        };
        self.send(site_frame::Frame::Open(open)).await;
        let server_frame::Frame::Opened(opened) = self.answer().await else { panic!("the stream is opened") };
        (self.epoch, self.seq, self.base) = (opened.epoch, 0, opened.received);
    }

    /// Sends one frame; `reached` ends its range there.
    async fn data(&mut self, payload: Bytes, reached: Option<u64>) {
        self.seq += 1;
        let at = reached.map(|offset| Position { offset, ..Position::default() });
        let length = u32::try_from(payload.len()).unwrap();
        let data = wire::Data {
            stream: 1,
            epoch: self.epoch,
            seq: self.seq,
            base: self.base,
            payload,
            length,
            reached: at.map(|at| Progress { at: Some(at), ..Progress::default() }),
            ..wire::Data::default()
        };
        self.base += u64::from(length);
        self.send(site_frame::Frame::Data(data)).await;
    }

    /// Says that the log has come to its end, and waits for the server's word.
    async fn end(&mut self) -> wire::Closed {
        let end = wire::End { stream: 1, epoch: self.epoch, base: self.base, ..wire::End::default() };
        self.send(site_frame::Frame::End(end)).await;
        loop {
            if let server_frame::Frame::Closed(closed) = self.answer().await {
                return closed;
            }
        }
    }
}

/// Counts what it is handed; refuses as often as it is told.
#[derive(Clone, Default)]
struct Hook {
    handed: Arc<AtomicUsize>,
    refusals: Arc<AtomicUsize>,
}

impl LogFinished for Hook {
    fn finished(&self, log: &Ended) -> Result<(), String> {
        assert!(log.path.is_file(), "a finished log is where it is said to be");
        self.handed.fetch_add(1, Ordering::SeqCst);
        let refuse = self.refusals.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        refuse.map_or(Ok(()), |_| Err("the job manager is not there".into()))
    }
}

/// A server on this store, in a runtime of its own: with the runtime it is gone, as with its process. What it told of
/// endings comes through the channel.
struct Run {
    runtime: tokio::runtime::Runtime,
    server: Server,
    endings: Mutex<mpsc::UnboundedReceiver<Ended>>,
}

impl Run {
    fn on(store: &std::path::Path, hook: &Hook, idle_timeout: Duration) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let (told, endings) = mpsc::unbounded_channel();
        let builder = Server::builder(store)
            .idle_timeout(idle_timeout)
            .finished(hook.clone())
            .on_ended(move |ended| told.send(ended.clone()).unwrap_or_default());
        let server = {
            let _inside = runtime.enter();
            builder.start().unwrap()
        };
        Self { runtime, server, endings: Mutex::new(endings) }
    }

    /// Waits for the next ending that is told.
    fn ending(&self) -> EndKind {
        let mut endings = self.endings.lock().unwrap();
        let ending = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, endings.recv()).await });
        ending.expect("an ending is told").expect("the server is there").kind
    }

    fn nothing_more_is_told(&self) {
        assert!(self.endings.lock().unwrap().try_recv().is_err(), "one ending is told for a stream");
    }
}

#[test]
fn an_end_that_is_asked_again_is_answered_and_not_told_or_handed_over_again() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    run.runtime.block_on(async {
        let mut wire = Wire::connect(&run.server).await;
        wire.open(b"first").await;
        wire.data(Bytes::from_static(b"line\n"), Some(5)).await;
        assert_eq!(wire.end().await.kind(), EndKind::Complete);
        // The answer got lost: the same run comes back and asks.
        let mut again = Wire::connect(&run.server).await;
        again.open(b"first").await;
        assert_eq!(again.base, 5);
        assert_eq!(again.end().await.kind(), EndKind::Complete);
    });
    assert_eq!(run.ending(), EndKind::Complete);
    run.nothing_more_is_told();
    assert_eq!(hook.handed.load(Ordering::SeqCst), 1);

    // Another run of the site is another stream, and adds nothing to the log that was handed over.
    run.runtime.block_on(async {
        let mut other = Wire::connect(&run.server).await;
        other.open(b"second").await;
        assert_eq!(other.end().await.kind(), EndKind::Complete);
    });
    assert_eq!(run.ending(), EndKind::Complete);
    run.nothing_more_is_told();
    assert_eq!(hook.handed.load(Ordering::SeqCst), 1);

    // Late lines make it another log to hand over.
    run.runtime.block_on(async {
        let mut late = Wire::connect(&run.server).await;
        late.open(b"third").await;
        late.data(Bytes::from_static(b"late\n"), Some(10)).await;
        assert_eq!(late.end().await.stored, 10);
    });
    assert_eq!(run.ending(), EndKind::Complete);
    assert_eq!(hook.handed.load(Ordering::SeqCst), 2);
}

#[test]
fn a_log_that_was_not_handed_over_is_handed_over_by_the_next_server() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    hook.refusals.store(1, Ordering::SeqCst);
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    run.runtime.block_on(async {
        let mut wire = Wire::connect(&run.server).await;
        wire.open(b"run").await;
        wire.data(Bytes::from_static(b"line\n"), Some(5)).await;
        wire.end().await;
    });
    assert_eq!(run.ending(), EndKind::Complete);
    drop(run);

    let next = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    assert_eq!(next.ending(), EndKind::Complete);
    drop(next);
    assert_eq!(hook.handed.load(Ordering::SeqCst), 2);

    let last = Run::on(store.path(), &hook, Duration::from_millis(50));
    // A stream that is opened and left ends after whatever the start has to do. The site's word stands.
    last.runtime.block_on(async { Wire::connect(&last.server).await.open(b"left").await });
    assert_eq!(last.ending(), EndKind::Complete);
    assert_eq!(hook.handed.load(Ordering::SeqCst), 2, "what was handed over is not handed over again");
}

#[test]
fn a_stream_that_nobody_comes_back_to_after_a_restart_is_closed_as_idle_once() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    run.runtime.block_on(async {
        let mut wire = Wire::connect(&run.server).await;
        wire.open(b"run").await;
        wire.data(Bytes::from_static(b"line\n"), Some(5)).await;
        assert!(matches!(wire.answer().await, server_frame::Frame::Ack(_)));
    });
    drop(run);

    let next = Run::on(store.path(), &hook, Duration::from_millis(50));
    assert_eq!(next.ending(), EndKind::Idle);
    next.nothing_more_is_told();
    assert_eq!(hook.handed.load(Ordering::SeqCst), 0, "a partial log is not handed over");
    assert_eq!(std::fs::read(store.path().join("job/site/log")).unwrap(), b"line\n");
}

#[test]
fn a_site_that_sends_more_than_it_was_given_credit_for_is_refused() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    let refused = run.runtime.block_on(async {
        let mut wire = Wire::connect(&run.server).await;
        wire.open(b"greedy").await;
        // Parts of a range that never ends, so that nothing of it can be committed.
        let chunk = Bytes::from(vec![b'x'; crate::policy::limits::CHUNK as usize]);
        for _ in 0..=(registry::LARGEST_CREDIT + u64::from(crate::policy::limits::RANGE)) / chunk.len() as u64 + 1 {
            wire.data(chunk.clone(), None).await;
        }
        loop {
            if let server_frame::Frame::Refused(refused) = wire.answer().await {
                return refused.reason;
            }
        }
    });
    assert_eq!(refused, "more was sent than the server had given credit for");
    assert_eq!(std::fs::metadata(store.path().join("job/site/log")).unwrap().len(), 0);
}

#[test]
fn a_server_that_is_closed_frees_its_store_at_once_and_its_streams_go_on_at_the_next() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    let mut wire = run.runtime.block_on(async {
        let mut wire = Wire::connect(&run.server).await;
        wire.open(b"run").await;
        wire.data(Bytes::from_static(b"line\n"), Some(5)).await;
        assert!(matches!(wire.answer().await, server_frame::Frame::Ack(_)));
        run.server.close().await;
        wire
    });
    // The connection, and all that it knows of the server, is still held.
    let next = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    run.runtime.block_on(async {
        assert!(wire.from_server.recv().await.is_none(), "the connection is over");
        let (to_server, frames) = lanes();
        let (answers, mut from_server) = lanes();
        drop(to_server);
        run.server.serve(Peer::site(SiteName::new("site").unwrap()), frames, answers).await;
        let Some(ServerFrame { frame: Some(server_frame::Frame::Refused(refused)) }) = from_server.recv().await else {
            panic!("it is said that the server is closed");
        };
        assert_eq!((refused.reason.as_str(), refused.retry_after_ns), ("the server is closed", Some(0)));
    });
    next.runtime.block_on(async {
        let mut wire = Wire::connect(&next.server).await;
        wire.open(b"run").await;
        assert_eq!(wire.base, 5);
        assert_eq!(wire.end().await.kind(), EndKind::Complete);
    });
    assert_eq!(next.ending(), EndKind::Complete);
    run.nothing_more_is_told();
}

#[test]
fn a_site_that_does_not_read_keeps_no_server_from_being_closed() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    run.runtime.block_on(async {
        let mut wire = Wire::connect(&run.server).await;
        wire.open(b"run").await;
        // Each is answered, until nothing fits any more.
        for stream in 2..100 {
            let open = wire::Open { stream, job: "job".into(), log: format!("log-{stream}"), ..wire::Open::default() };
            let open = SiteFrame { frame: Some(site_frame::Frame::Open(open)) };
            if tokio::time::timeout(Duration::from_secs(1), wire.to_server.send(open)).await.is_err() {
                break;
            }
            assert!(stream < 99, "the server reads on though nobody reads what it says");
        }
        tokio::time::timeout(PATIENCE, run.server.close()).await.expect("the server closes");
    });
    drop(Store::open(store.path(), Durability::Process).unwrap());
}

/// The last words of a process that was killed, on a connection that brings them late: its opening wins at once, and nobody is
/// behind it.
#[test]
fn an_opening_that_comes_late_from_a_site_that_is_gone_ends_no_other_one() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    run.runtime.block_on(async {
        let mut alive = Wire::connect(&run.server).await;
        alive.open(b"alive").await;
        alive.data(Bytes::from_static(b"one\n"), Some(4)).await;
        assert!(matches!(alive.answer().await, server_frame::Frame::Ack(_)));
        let mut gone = Wire::connect(&run.server).await;
        gone.open(b"gone").await;
        drop(gone);
        let server_frame::Frame::Closed(closed) = alive.answer().await else { panic!("the opening is over") };
        assert_eq!(closed.kind(), EndKind::Failed, "to be opened again: {}", closed.reason);
        assert!(closed.reason.contains("came late"), "{}", closed.reason);
        alive.open(b"alive").await;
        assert_eq!(alive.base, 4);
        alive.data(Bytes::from_static(b"two\n"), Some(8)).await;
        assert_eq!(alive.end().await.kind(), EndKind::Complete);
    });
    assert_eq!(run.ending(), EndKind::Complete);
    run.nothing_more_is_told();
    assert_eq!(std::fs::read(store.path().join("job/site/log")).unwrap(), b"one\ntwo\n");
}

/// On a connection that goes on, for its other streams: nothing tells that this one is not wanted any more.
#[test]
fn an_opening_that_is_left_without_a_word_does_not_hold_another_one_for_ever() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, Duration::from_secs(2));
    run.runtime.block_on(async {
        let mut alive = Wire::connect(&run.server).await;
        alive.open(b"alive").await;
        let mut silent = Wire::connect(&run.server).await;
        silent.open(b"silent").await;
        alive.data(Bytes::from_static(b"one\n"), Some(4)).await;
        let beats = async {
            loop {
                silent.send(site_frame::Frame::Beat(wire::Beat { number: 1 })).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        let answer = tokio::select! {
            answer = alive.answer() => answer,
            () = beats => unreachable!("they go on for ever"),
        };
        let server_frame::Frame::Closed(closed) = answer else { panic!("the opening is over") };
        assert_eq!(closed.kind(), EndKind::Failed, "to be opened again: {}", closed.reason);
    });
}

#[test]
fn a_host_that_is_heard_sends_the_older_one_away() {
    let (store, hook) = (tempfile::tempdir().unwrap(), Hook::default());
    let run = Run::on(store.path(), &hook, IDLE_TIMEOUT);
    run.runtime.block_on(async {
        let mut older = Wire::connect(&run.server).await;
        older.open(b"older").await;
        let mut newer = Wire::connect(&run.server).await;
        newer.open(b"newer").await;
        newer.send(site_frame::Frame::Ready(wire::Ready { stream: 1, epoch: newer.epoch })).await;
        let server_frame::Frame::Closed(closed) = older.answer().await else { panic!("the opening is over") };
        assert_eq!(closed.kind(), EndKind::Superseded);
        newer.data(Bytes::from_static(b"one\n"), Some(4)).await;
        assert_eq!(newer.end().await.kind(), EndKind::Complete);
    });
    assert_eq!(run.ending(), EndKind::Superseded);
    assert_eq!(run.ending(), EndKind::Complete);
}
