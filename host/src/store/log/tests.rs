use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering::SeqCst;

use super::super::testing::{Place, batch, end, key, offset};
use super::super::{Durability, LogState};
use super::*;
use crate::wire::{GapReason, PolicyRange};

fn gap(lost: u64, words: &str) -> Gap {
    Gap { lost: Some(lost), reason: GapReason::Truncated as i32, words: words.into(), at: 0 }
}

#[test]
fn what_is_committed_is_found_again_with_its_position() {
    let place = Place::new();
    let log = place.log();
    assert_eq!(log.open_stream(b"one", b"digest").unwrap().epoch, 1);
    assert_eq!(log.commit(1, batch(0, b"first\n")).unwrap(), Committed { stored: 6, received: 6 });
    let mut second = batch(6, b"second\n");
    second.data = vec![Bytes::from_static(b"sec"), Bytes::new(), Bytes::from_static(b"***\n")];
    second.received = 9;
    assert_eq!(log.commit(1, second).unwrap(), Committed { stored: 13, received: 15 });
    let before = log.state();
    drop(log);
    assert_eq!(place.data(), b"first\nsec***\n");
    let after = place.log().state();
    assert_eq!(after, before);
    assert_eq!((after.stored, after.received, offset(&after)), (13, 15, 13));
    assert_eq!(after.instance, &b"one"[..]);
}

#[test]
fn all_callers_get_the_same_log_while_anybody_holds_it() {
    let store = Place::new();
    let store = store.open();
    let one = store.log(&key()).unwrap();
    assert!(Arc::ptr_eq(&one, &store.log(&key()).unwrap()));
}

#[test]
fn nothing_is_written_for_a_log_before_it_is_opened() {
    let place = Place::new();
    let log = place.log();
    assert_eq!(log.state(), LogState::default());
    assert!(matches!(log.commit(0, batch(0, b"x")), Err(CommitError::Fenced { epoch: 0, current: 0 })));
    assert!(!place.dir.path().join("job").exists() && !place.dir.path().join(".fedtail/job").exists());
}

#[test]
fn an_older_epoch_is_fenced_and_harms_nothing() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"one")).unwrap();
    assert_eq!(log.open_stream(b"two", b"").unwrap().epoch, 2);
    for epoch in [0, 1, 3] {
        let fenced = log.commit(epoch, batch(3, b"late")).unwrap_err();
        assert!(matches!(fenced, CommitError::Fenced { epoch: e, current: 2 } if e == epoch), "{fenced}");
        assert!(matches!(log.end(epoch, end(EndKind::Complete), vec![]), Err(CommitError::Fenced { .. })));
        assert!(matches!(log.discard(epoch), Err(CommitError::Fenced { .. })));
    }
    assert_eq!(place.data(), b"one");
    log.commit(2, batch(3, b"two")).unwrap();
    assert_eq!(place.data(), b"onetwo");
}

#[test]
fn a_wrong_base_is_refused_with_the_right_one() {
    let log = Place::new();
    let log = log.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"12345")).unwrap();
    for base in [0, 4, 6] {
        let refused = log.commit(1, batch(base, b"x")).unwrap_err();
        assert!(matches!(refused, CommitError::Base { expected: 5, got } if got == base), "{refused}");
    }
    assert_eq!(log.state().stored, 5);
}

#[test]
fn a_batch_takes_two_writes_and_no_flush() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    place.faults.take_calls();
    log.commit(1, batch(0, b"data")).unwrap();
    assert_eq!(place.faults.take_calls(), ["write data", "write journal"]);
}

#[test]
fn with_flush_the_data_lasts_before_the_journal_says_so() {
    let mut place = Place::new();
    place.durability = Durability::Flush;
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    let calls = place.faults.take_calls();
    for directory in ["", "job", "job/site", ".fedtail", ".fedtail/job", ".fedtail/job/site"] {
        assert!(calls.contains(&format!("sync directory {directory}")), "{directory} in {calls:?}");
    }
    log.commit(1, batch(0, b"data")).unwrap();
    assert_eq!(place.faults.take_calls(), ["write data", "sync data", "write journal", "sync journal"]);
}

#[test]
fn a_flush_that_fails_commits_nothing_and_the_bytes_are_written_again() {
    let mut place = Place::new();
    place.durability = Durability::Flush;
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    place.faults.flushes_fail.store(1, SeqCst);
    let failed = log.commit(1, batch(0, b"data")).unwrap_err();
    assert!(failed.to_string().contains("can't flush") && failed.to_string().contains("job/site/log"), "{failed}");
    assert_eq!(log.state().stored, 0);
    place.faults.flushes_fail.store(0, SeqCst);
    place.faults.take_calls();
    log.commit(1, batch(0, b"data")).unwrap();
    assert_eq!(place.faults.take_calls()[..2], ["write data", "sync data"]);
}

#[test]
fn a_tail_that_is_sent_again_alike_is_not_shortened() {
    let place = Place::new();
    place.log().open_stream(b"one", b"").unwrap();
    std::fs::write(place.data_path(), b"what was written and not committed").unwrap();
    let log = place.log();
    place.faults.take_calls();
    log.commit(1, batch(0, b"what was ")).unwrap();
    log.commit(1, batch(9, b"written and not")).unwrap();
    assert!(place.faults.take_calls().iter().all(|call| call == "write journal"), "nothing but the journal is written");
    log.commit(1, batch(24, b" committed, and more")).unwrap();
    assert!(!place.faults.take_calls().contains(&"set length data".to_owned()));
    assert_eq!(place.data(), b"what was written and not committed, and more");
}

#[test]
fn a_tail_is_cut_where_what_is_sent_differs() {
    let place = Place::new();
    place.log().open_stream(b"one", b"").unwrap();
    std::fs::write(place.data_path(), b"password: hunter2, and a long tail").unwrap();
    let log = place.log();
    log.commit(1, batch(0, b"pass")).unwrap();
    assert_eq!(place.data().len(), 34);
    log.commit(1, batch(4, b"word: ***")).unwrap();
    assert_eq!(place.data(), b"password: ***");
}

#[test]
fn the_end_cuts_off_what_was_not_committed() {
    let place = Place::new();
    place.log().open_stream(b"one", b"").unwrap();
    std::fs::write(place.data_path(), b"kept, and not").unwrap();
    let log = place.log();
    log.commit(1, batch(0, b"kept")).unwrap();
    log.end(1, end(EndKind::Complete), vec![]).unwrap();
    assert_eq!(place.data(), b"kept");
}

#[test]
fn a_full_disk_refuses_a_batch_and_takes_it_later() {
    for room in 0..30 {
        let place = Place::new();
        let log = place.log();
        log.open_stream(b"one", b"").unwrap();
        log.commit(1, batch(0, b"before\n")).unwrap();
        place.faults.room.store(room, SeqCst);
        let full = log.commit(1, batch(7, b"thirty bytes that do not fit.\n")).unwrap_err();
        assert!(matches!(&full, CommitError::Full { path, .. } if *path == place.data_path()), "{full}");
        assert_eq!(place.log().state().stored, 7, "nothing of it counts for a process that starts now");
        place.faults.room.store(i64::MAX, SeqCst);
        log.commit(1, batch(7, b"thirty bytes that do not fit.\n")).unwrap();
        assert_eq!(place.data(), b"before\nthirty bytes that do not fit.\n");
        assert_eq!(place.log().state(), log.state());
    }
}

#[test]
fn what_a_failed_write_left_is_not_kept_behind_other_bytes() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"before\n")).unwrap();
    place.faults.room.store(20, SeqCst);
    log.commit(1, batch(7, b"a line that does not fit whole\n")).unwrap_err();
    place.faults.room.store(i64::MAX, SeqCst);
    // A policy that was changed in between makes something else of the same range.
    log.commit(1, batch(7, b"a short one\n")).unwrap();
    assert_eq!(place.data(), b"before\na short one\n");
}

#[test]
fn a_full_disk_has_room_for_openings_and_the_end() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    place.faults.room.store(0, SeqCst);
    // What needs no room in the data file goes on until the journal's is used up, but for what is kept for the end.
    let skip = |base| Batch { data: vec![], dropped: vec!["not wanted".into()], ..batch(base, b"x") };
    let mut base = 0;
    let full = loop {
        match log.commit(1, skip(base)) {
            Ok(committed) => base = committed.received,
            Err(full) => break full,
        }
    };
    assert!(matches!(&full, CommitError::Full { path, .. } if *path == place.journal_path()), "{full}");
    assert!(full.to_string().contains("No space left"), "{full}");
    log.open_stream(b"two", b"").unwrap();
    log.end(2, end(EndKind::Incomplete), vec![gap(5, "cut")]).unwrap();
    log.handed(&log.state()).unwrap();
    assert_eq!(place.log().state(), log.state());
}

#[test]
fn the_same_end_again_is_well_and_adds_nothing() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"all")).unwrap();
    let first = log.end(1, end(EndKind::Incomplete), vec![gap(9, "cut")]).unwrap();
    place.faults.take_calls();
    assert_eq!(log.end(1, end(EndKind::Incomplete), vec![gap(9, "cut")]).unwrap(), first);
    let other = log.end(1, end(EndKind::Idle), vec![]).unwrap_err();
    assert!(matches!(&other, CommitError::Ended { end: stands } if *stands == end(EndKind::Incomplete)), "{other}");
    assert!(matches!(log.commit(1, batch(3, b"more")), Err(CommitError::Ended { .. })));
    assert_eq!(place.faults.take_calls(), [""; 0]);
}

#[test]
fn an_end_whose_answer_was_lost_is_answered_again_after_a_new_opening() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"all")).unwrap();
    let taken = log.end(1, end(EndKind::Incomplete), vec![gap(9, "cut")]).unwrap();
    log.handed(&taken).unwrap();
    let log = place.log();
    let opened = log.open_stream(b"one", b"").unwrap();
    assert_eq!((opened.end, opened.handed, opened.reopened), (Some(end(EndKind::Incomplete)), true, true));
    let again = log.end(2, end(EndKind::Incomplete), vec![gap(9, "cut")]).unwrap();
    assert_eq!((again.gaps.len(), again.handed), (1, true));
    assert!(again.is_closed());
}

#[test]
fn an_ended_log_that_is_opened_again_goes_on() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"all")).unwrap();
    let taken = log.end(1, end(EndKind::Complete), vec![]).unwrap();
    log.handed(&taken).unwrap();
    log.open_stream(b"two", b"").unwrap();
    log.commit(2, batch(3, b" and late lines")).unwrap();
    let state = place.log().state();
    assert_eq!((state.end.clone(), state.handed, state.stored), (None, false, 18));
    assert_eq!(state, log.state());
    log.handed(&taken).unwrap();
    assert!(!log.state().handed, "what was handed over is not what is there now");
    let now = log.end(2, end(EndKind::Complete), vec![]).unwrap();
    log.handed(&taken).unwrap();
    assert!(!log.state().handed, "it ended alike, and with more bytes");
    log.handed(&now).unwrap();
    assert!(place.log().state().handed);
}

#[test]
fn the_servers_own_end_is_over_with_a_new_opening_and_never_replaces_the_sites() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.end(1, end(EndKind::Idle), vec![]).unwrap();
    assert_eq!(log.open_stream(b"one", b"").unwrap().end, None);
    assert_eq!(place.log().state().end, None);
    log.end(2, end(EndKind::Complete), vec![]).unwrap();
    log.open_stream(b"two", b"").unwrap();
    assert_eq!(log.end(3, end(EndKind::Idle), vec![]).unwrap().end, Some(end(EndKind::Complete)));
    assert_eq!(place.log().state().end, Some(end(EndKind::Complete)));
}

#[test]
fn a_discarded_log_has_no_bytes_and_keeps_what_is_known_beside_them() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"digest").unwrap();
    log.commit(1, batch(0, b"secret")).unwrap();
    log.end(1, end(EndKind::Complete), vec![]).unwrap();
    log.discard(1).unwrap();
    assert!(!place.data_path().exists());
    let log = place.log();
    let state = log.state();
    assert_eq!((state.stored, state.received, offset(&state)), (0, 6, 6));
    assert_eq!(state.end, Some(end(EndKind::Complete)));
    log.open_stream(b"one", b"digest").unwrap();
    log.commit(2, batch(6, b"more")).unwrap();
    assert_eq!(place.data(), b"more");
    assert_eq!(place.log().state().ranges, [PolicyRange { from: 0, policy_digest: "digest".into() }]);
}

#[test]
fn gaps_and_policies_are_placed_in_the_log() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"a").unwrap();
    log.commit(1, Batch { gaps: vec![gap(1, "before")], ..batch(0, b"12345") }).unwrap();
    let inside = Gap { at: 2, ..gap(2, "inside") };
    let beyond = Gap { at: u64::MAX, ..gap(3, "beyond") };
    let second = Batch { gaps: vec![inside, beyond], policy_digest: Some(b"b".into()), ..batch(5, b"678") };
    log.commit(1, second).unwrap();
    log.end(1, end(EndKind::Incomplete), vec![gap(4, "the end")]).unwrap();
    let state = place.log().state();
    let places: Vec<_> = state.gaps.iter().map(|gap| (gap.lost, gap.at)).collect();
    assert_eq!(places, [(Some(1), 0), (Some(2), 7), (Some(3), 8), (Some(4), 8)]);
    let ranges = [(0, "a"), (5, "b")].map(|(from, digest)| PolicyRange { from, policy_digest: digest.into() });
    assert_eq!(state.ranges, ranges);
}

#[test]
fn compacting_keeps_all_and_the_journal_short() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"digest").unwrap();
    log.end(1, end(EndKind::Complete), vec![gap(7, "cut")]).unwrap();
    let inode = || std::fs::metadata(place.journal_path()).unwrap().ino();
    let first = inode();
    // Openings alone make a journal long as well, and leave the log opened after its end.
    let mut epoch = 1;
    while inode() == first {
        epoch = log.open_stream(&[epoch as u8; 64], &[0; 64]).unwrap().epoch;
        assert!(epoch < 100_000, "a journal of any length is compacted");
    }
    assert_eq!(place.log().state(), log.state());
    assert!(log.state().reopened);
    log.commit(epoch, batch(0, b"goes on")).unwrap();
    assert_eq!(place.log().state(), log.state());
    assert_eq!(place.log().state().gaps.len(), 1);
    assert!(std::fs::metadata(place.journal_path()).unwrap().len() < 1 << 16);
    assert!(std::fs::read_dir(place.dir.path().join(".fedtail/.new")).unwrap().next().is_none());
}

#[test]
fn compacting_flushes_the_data_before_its_checksums_go() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    let words = "x".repeat(1000);
    let mut base = 0;
    let calls = loop {
        place.faults.take_calls();
        base = log.commit(1, Batch { dropped: vec![words.clone()], ..batch(base, b"x") }).unwrap().received;
        let calls = place.faults.take_calls();
        if calls.len() > 3 {
            break calls;
        }
    };
    let order = ["sync data", "sync journal", "rename to .fedtail/job/site/log", "sync directory .fedtail/job/site"];
    let places = order.map(|call| calls.iter().position(|made| made == call));
    assert!(places.is_sorted() && places.iter().all(Option::is_some), "{calls:?}");
}

#[test]
fn compacting_that_fails_is_no_failure_of_the_commit() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    place.faults.flushes_fail.store(1, SeqCst);
    let words = "x".repeat(1000);
    for base in 0..1100 {
        log.commit(1, Batch { dropped: vec![words.clone()], ..batch(base, b"x") }).unwrap();
    }
    assert!(place.faults.take_calls().contains(&"sync data".to_owned()), "compacting was tried");
    assert_eq!(place.log().state(), log.state());
    assert_eq!(log.state().stored, 1100);
}

#[test]
fn a_position_too_large_for_the_journal_is_refused_in_words() {
    let log = Place::new();
    let log = log.log();
    log.open_stream(b"one", b"").unwrap();
    let progress = Progress { consumed: vec![Default::default(); 600 << 10], ..Progress::default() };
    let refused = log.commit(1, Batch { progress: Some(progress), ..batch(0, b"x") }).unwrap_err();
    assert!(matches!(refused, CommitError::Store(StoreError::TooLarge { .. })), "{refused}");
    log.commit(1, batch(0, b"x")).unwrap();
}

#[test]
fn what_the_server_writes_by_itself_does_not_say_that_the_site_was_heard() {
    let place = Place::new();
    let heard = || std::fs::metadata(place.journal_path()).unwrap().mtime();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    place.now.store(2_000_000, SeqCst);
    log.heard();
    assert_eq!(heard(), 2_000_000);
    place.now.store(3_000_000, SeqCst);
    let taken = log.end(1, end(EndKind::Idle), vec![]).unwrap();
    log.handed(&taken).unwrap();
    log.discard(1).unwrap();
    assert_eq!(heard(), 2_000_000);
    let log = place.log();
    log.heard();
    assert_eq!(heard(), 3_000_000);
}

#[test]
fn a_data_file_that_was_cut_under_us_is_not_written_to() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"0123456789")).unwrap();
    std::fs::OpenOptions::new().write(true).open(place.data_path()).unwrap().set_len(4).unwrap();
    let refused = log.end(1, end(EndKind::Complete), vec![]).unwrap_err().to_string();
    assert!(refused.contains("has 4 bytes where 10 bytes were committed"), "{refused}");
    assert_eq!(place.data(), b"0123");
}
