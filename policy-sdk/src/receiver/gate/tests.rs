use super::*;
use crate::Custom;
use crate::receiver::{TakesAll, Usage};

const SECOND: Nanos = 1_000_000_000;

/// The store, as the policy uses it.
#[derive(Default)]
struct Disk {
    appended: Vec<&'static str>,
    dropped: Vec<String>,
    warned: Vec<String>,
}

impl Store for Disk {
    type Chunk = &'static str;

    fn len(&mut self, data: &&'static str) -> u64 {
        data.len() as u64
    }

    fn append(&mut self, data: &&'static str) {
        self.appended.push(data);
    }

    fn drop_data(&mut self, why: &str) {
        self.dropped.push(why.into());
    }

    fn size(&mut self) -> u64 {
        self.appended.iter().map(|data| data.len() as u64).sum()
    }

    fn others(&mut self) -> Usage {
        Usage::default()
    }

    fn say(&mut self, _level: Level, words: &str) {
        self.warned.push(words.into());
    }
}

fn caller(liveness_interval: Nanos, idle_timeout: Nanos) -> Caller {
    Caller {
        site: "site".into(),
        job: "job".into(),
        log: "log".into(),
        liveness_interval,
        policy_digest: String::new(),
        stored: 0,
        idle_timeout,
        custom: Custom::default(),
    }
}

fn accept(caller: Caller) -> Result<Receiver<TakesAll>, Refusal> {
    Receiver::accept(&mut Disk::default(), caller)
}

fn refusal(caller: Caller) -> String {
    match accept(caller) {
        Err(Refusal::Never(words)) => words,
        other => panic!("{other:?}"),
    }
}

fn accepted() -> (Receiver<TakesAll>, Disk) {
    (accept(caller(10 * SECOND, 30 * SECOND)).unwrap(), Disk::default())
}

#[test]
fn a_stream_that_is_heard_often_enough_is_accepted_with_the_servers_timeout() {
    for (liveness, idle) in [(10 * SECOND, 30 * SECOND), (1, 2), (30 * SECOND - 1, 30 * SECOND), (1, u64::MAX)] {
        let receiver = accept(caller(liveness, idle)).unwrap();
        assert_eq!(receiver.idle_timeout(), idle);
    }
}

#[test]
fn a_liveness_interval_that_is_not_shorter_than_the_idle_timeout_is_refused_with_both_numbers() {
    for (liveness, idle, words) in [
        (30 * SECOND, 30 * SECOND, "liveness interval 30s is not shorter than the idle timeout 30s: "),
        (60 * SECOND, 1_500_000_000, "liveness interval 60s is not shorter than the idle timeout 1500ms: "),
        (1, 0, "liveness interval 1ns is not shorter than the idle timeout 0s: "),
    ] {
        let refusal = refusal(caller(liveness, idle));
        assert!(refusal.starts_with(words), "{refusal}");
        assert!(
            refusal.contains("set the site's liveness interval to a third of the server's idle timeout"),
            "{refusal}"
        );
    }
}

#[test]
fn a_site_that_does_not_say_how_often_it_will_be_heard_is_refused() {
    let refusal = refusal(caller(0, 30 * SECOND));
    assert_eq!(refusal, "the site does not say how often it will be heard; set its liveness interval");
}

#[test]
fn settings_that_would_have_no_effect_are_refused_by_name() {
    let custom = vec![("keep-days".to_string(), "3".to_string())];
    let custom = Custom::new(custom);
    let refusal = refusal(Caller { custom, ..caller(SECOND, 3 * SECOND) });
    assert!(refusal.contains("tell its operator") && refusal.contains("no setting `keep-days`"), "{refusal}");
}

#[test]
fn every_piece_is_appended_in_order() {
    let (mut receiver, mut store) = accepted();
    for wake in [Wake::Data("a"), Wake::Other, Wake::Data(""), Wake::Lost, Wake::Data("b")] {
        assert_eq!(receiver.step(&mut store, wake), Next::Wait);
    }
    assert_eq!(store.appended, ["a", "", "b"]);
}

#[test]
fn an_idle_stream_is_closed_also_one_that_never_sent_a_byte() {
    let (mut receiver, mut store) = accepted();
    assert_eq!(receiver.step(&mut store, Wake::Idle), Next::CloseIdle);

    let (mut receiver, mut store) = accepted();
    receiver.step(&mut store, Wake::Data("a"));
    assert_eq!(receiver.step(&mut store, Wake::Idle), Next::CloseIdle);
}

#[test]
fn a_log_that_was_sent_to_its_end_is_kept_and_any_other_stays_where_it_is() {
    for (ending, disposition) in
        [(Ending::SentToEnd, Disposition::Keep), (Ending::BrokenOff, Disposition::RetainPartial)]
    {
        let (receiver, mut store) = accepted();
        assert_eq!(receiver.finish(&mut store, ending), disposition);
        assert_eq!(store.warned, [""; 0]);
    }
}

#[test]
fn a_log_with_gaps_is_kept_with_a_word() {
    let (mut receiver, mut store) = accepted();
    receiver.step(&mut store, Wake::Lost);
    receiver.step(&mut store, Wake::Lost);
    assert_eq!(receiver.finish(&mut store, Ending::SentToEnd), Disposition::Keep);
    assert_eq!(store.warned, ["kept, though bytes are missing that the site lost; gaps: 2"]);
}

/// A gate that stores, drops, or ends, as the bytes say.
#[derive(Debug)]
struct ByLength;

impl Gate for ByLength {
    fn accept<S: Store>(_store: &mut S, _caller: &Caller, _custom: &mut Custom) -> Result<Self, Refusal> {
        Ok(Self)
    }

    fn take<S: Store>(&mut self, _store: &mut S, length: u64) -> Take {
        match length {
            1 => Take::Store,
            2 => Take::Drop("two".into()),
            _ => Take::Last("three".into()),
        }
    }
}

#[test]
fn what_the_gate_says_is_done_and_the_last_bytes_are_stored_too() {
    let mut store = Disk::default();
    let mut receiver = Receiver::<ByLength>::accept(&mut store, caller(SECOND, 3 * SECOND)).unwrap();
    assert_eq!(receiver.step(&mut store, Wake::Data("a")), Next::Wait);
    assert_eq!(receiver.step(&mut store, Wake::Data("bb")), Next::Wait);
    assert_eq!(receiver.step(&mut store, Wake::Data("ccc")), Next::CloseFailed("three".into()));
    assert_eq!((store.appended, store.dropped), (vec!["a", "ccc"], vec!["two".to_string()]));
}
