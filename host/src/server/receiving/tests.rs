use std::sync::{LazyLock, Mutex};

use tempfile::TempDir;

use super::*;
use crate::names::{JobName, LogKey, LogName, SiteName};
use crate::policy::{Caller, Component, Engine, Kind, ReceiverPolicy};
use crate::store::{Durability, Store};
use crate::wire::{Gap, GapReason, Position, Progress};

static POLICY: LazyLock<ReceiverPolicy> = LazyLock::new(|| {
    let engine = Engine::new(None).unwrap();
    let component = Component::embedded(&engine, Kind::Receiver).unwrap();
    ReceiverPolicy::link(&engine, &component).unwrap()
});

/// A clock that a test moves.
#[derive(Default)]
struct Hand(Mutex<u64>);

impl Clock for Hand {
    fn now(&self) -> u64 {
        *self.0.lock().unwrap()
    }

    fn wall(&self) -> u64 {
        self.now()
    }
}

const IDLE: u64 = 30_000_000_000;

/// One opening with the default policy on a store of its own.
struct Bench {
    receiving: Receiving,
    log: Arc<StoredLog>,
    clock: Arc<Hand>,
    path: std::path::PathBuf,
    seq: u64,
    base: u64,
    _directory: TempDir,
}

impl Bench {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Durability::Process).unwrap();
        let key = LogKey {
            job: JobName::new("job").unwrap(),
            site: SiteName::new("site").unwrap(),
            log: LogName::new("log").unwrap(),
        };
        let log = store.log(&key).unwrap();
        let state = log.open_stream(b"instance", b"").unwrap();
        let clock = Arc::new(Hand::default());
        let caller = Caller {
            site: "site".into(),
            job: "job".into(),
            log: "log".into(),
            liveness_interval: IDLE / 3,
            policy_digest: String::new(),
            stored: 0,
            idle_timeout: IDLE,
            custom: Vec::new(),
            others: crate::policy::Others::default(),
        };
        let (policy, terms) = POLICY.accept(clock.clone(), &caller).unwrap().unwrap();
        let receiving = Receiving::new(log.clone(), policy, clock.clone(), &state, terms.idle_timeout);
        Self { receiving, log, clock, path: store.path(&key), seq: 0, base: 0, _directory: directory }
    }

    /// The next frame; `reached` ends its range there.
    fn frame(&mut self, payload: &'static [u8], reached: Option<u64>) -> wire::Data {
        self.seq += 1;
        let length = payload.len() as u32;
        let at = reached.map(|offset| Position { offset, ..Position::default() });
        let data = wire::Data {
            epoch: 1,
            seq: self.seq,
            base: self.base,
            payload: Bytes::from_static(payload),
            length,
            reached: at.map(|at| Progress { at: Some(at), ..Progress::default() }),
            ..wire::Data::default()
        };
        self.base += u64::from(length);
        data
    }

    fn end(&self) -> wire::End {
        wire::End { epoch: 1, base: self.base, ..wire::End::default() }
    }

    fn go_on(&mut self) -> Vec<Output> {
        let mut out = Vec::new();
        self.receiving.go_on(&mut out);
        out
    }

    fn stored(&self) -> Vec<u8> {
        std::fs::read(&self.path).unwrap()
    }

    fn reached(&self) -> Option<u64> {
        self.log.state().progress.and_then(|progress| progress.at).map(|at| at.offset)
    }
}

#[test]
fn ranges_that_came_together_are_one_commit_with_one_acknowledgement() {
    let mut bench = Bench::new();
    for (payload, reached) in [(b"one\n".as_slice(), 4), (b"two\n", 8), (b"three\n", 14)] {
        let frame = bench.frame(payload, Some(reached));
        bench.receiving.data(frame);
    }
    let out = bench.go_on();
    assert!(matches!(out[..], [Output::Ack { seq: 3, bytes: 14 }]), "{out:?}");
    assert_eq!(bench.stored(), b"one\ntwo\nthree\n");
    assert_eq!(bench.reached(), Some(14));
}

#[test]
fn the_parts_of_a_range_are_stored_with_its_last_one() {
    let mut bench = Bench::new();
    let first = bench.frame(b"half ", None);
    bench.receiving.data(first);
    assert!(bench.go_on().is_empty());
    assert_eq!(bench.stored(), b"");
    let last = bench.frame(b"whole\n", Some(3));
    bench.receiving.data(last);
    let out = bench.go_on();
    assert!(matches!(out[..], [Output::Ack { seq: 2, bytes: 11 }]), "{out:?}");
    assert_eq!(bench.stored(), b"half whole\n");
    assert_eq!(bench.reached(), Some(3));
}

#[test]
fn a_range_without_bytes_moves_the_position() {
    let mut bench = Bench::new();
    let frame = bench.frame(b"", Some(4000));
    bench.receiving.data(frame);
    let out = bench.go_on();
    assert!(matches!(out[..], [Output::Ack { seq: 1, bytes: 0 }]), "{out:?}");
    assert_eq!((bench.stored().len(), bench.reached()), (0, Some(4000)));
}

#[test]
fn a_frame_that_is_not_the_next_or_not_where_the_stream_stands_ends_the_opening_and_stores_nothing() {
    let wrong: [fn(&mut wire::Data); 2] = [|frame| frame.seq += 1, |frame| frame.base += 1];
    for (spoil, words) in
        wrong.iter().zip(["frame 2 came, and 1 is the next", "for byte 1 came, and the stream is at 0"])
    {
        let mut bench = Bench::new();
        let mut frame = bench.frame(b"x", Some(1));
        spoil(&mut frame);
        bench.receiving.data(frame);
        let out = bench.go_on();
        assert!(matches!(&out[..], [Output::Spent(reason)] if reason.contains(words)), "{out:?}");
        assert_eq!((bench.stored().len(), bench.reached()), (0, None));
    }
}

#[test]
fn an_end_is_recorded_and_gaps_make_it_incomplete() {
    for (gap, kind) in [(false, EndKind::Complete), (true, EndKind::Incomplete)] {
        let mut bench = Bench::new();
        let mut frame = bench.frame(b"line\n", Some(5));
        if gap {
            frame.gaps.push(Gap { lost: Some(7), reason: GapReason::Truncated.into(), ..Gap::default() });
        }
        bench.receiving.data(frame);
        bench.receiving.end(bench.end());
        let out = bench.go_on();
        assert!(matches!(&out[..], [Output::Ack { .. }, Output::Ended(ended, _)] if *ended == kind), "{out:?}");
        assert_eq!(bench.log.state().end.map(|end| end.kind()), Some(kind));
    }
}

#[test]
fn an_older_opening_is_fenced() {
    let mut bench = Bench::new();
    bench.log.open_stream(b"another", b"").unwrap();
    let frame = bench.frame(b"late", Some(4));
    bench.receiving.data(frame);
    let out = bench.go_on();
    assert!(matches!(out[..], [Output::Fenced]), "{out:?}");
    assert_eq!(bench.stored(), b"");
}

#[test]
fn silence_ends_a_stream_also_one_that_never_sent_a_byte() {
    let mut bench = Bench::new();
    let mut out = Vec::new();
    *bench.clock.0.lock().unwrap() = IDLE - 1;
    bench.receiving.tick(&mut out);
    assert!(out.is_empty(), "{out:?}");
    bench.receiving.heartbeat(&mut out);
    *bench.clock.0.lock().unwrap() = 2 * IDLE - 2;
    bench.receiving.tick(&mut out);
    assert!(out.is_empty(), "a heartbeat is a sign of life: {out:?}");
    *bench.clock.0.lock().unwrap() = 2 * IDLE;
    bench.receiving.tick(&mut out);
    assert!(matches!(&out[..], [Output::Ended(EndKind::Idle, why)] if why == "silent for 30s"), "{out:?}");
}
