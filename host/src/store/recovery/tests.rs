use std::path::Path;
use std::sync::Arc;

use super::super::testing::{Place, batch, end, key, offset};
use super::super::{Batch, CommitError, Store, StoredLog};
use super::*;
use crate::wire::EndKind;

/// A place with three committed batches, and the length of the journal's entries after each.
fn three_batches() -> (Place, Vec<usize>) {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    let used = || std::fs::read(place.journal_path()).unwrap().iter().rposition(|&byte| byte != 0).unwrap() + 1;
    let mut lengths = Vec::new();
    for (base, data) in [(0, &b"first\n"[..]), (6, b"second\n"), (13, b"third\n")] {
        log.commit(1, batch(base, data)).unwrap();
        lengths.push(used());
    }
    (place, lengths)
}

fn refusal(place: &Place) -> StoreError {
    place.open().log(&key()).map(|_| ()).unwrap_err()
}

#[test]
fn a_torn_entry_counts_for_nothing_wherever_it_is_torn() {
    let (place, lengths) = three_batches();
    let whole = std::fs::read(place.journal_path()).unwrap();
    for cut in lengths[1]..=lengths[2] {
        // Cut off, as after a write that was not finished, in reserved room and at the file's end.
        for rest in [whole.len() - cut, 0] {
            let torn = [&whole[..cut], &vec![0; rest]].concat();
            std::fs::write(place.journal_path(), torn).unwrap();
            std::fs::write(place.data_path(), b"first\nsecond\nthird\n").unwrap();
            let log = place.log();
            let (stored, last) = if cut == lengths[2] { (19, &b""[..]) } else { (13, &b"third\n"[..]) };
            assert_eq!((log.state().stored, offset(&log.state())), (stored, stored), "cut at {cut}");
            assert_eq!(place.data(), b"first\nsecond\nthird\n", "the data is not touched");
            log.open_stream(b"two", b"").unwrap();
            log.commit(2, batch(stored, last)).unwrap();
            log.commit(2, batch(19, b"fourth\n")).unwrap();
            assert_eq!(place.data(), b"first\nsecond\nthird\nfourth\n");
            assert_eq!(place.log().state(), log.state());
        }
    }
}

#[test]
fn an_entry_with_any_byte_changed_counts_for_nothing_and_neither_do_those_behind_it() {
    let (place, lengths) = three_batches();
    let whole = std::fs::read(place.journal_path()).unwrap();
    for at in lengths[0]..lengths[1] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        std::fs::write(place.journal_path(), damaged).unwrap();
        assert_eq!(place.log().state().stored, 6, "byte {at}");
        assert_eq!(place.data(), b"first\nsecond\nthird\n", "the data is not touched");
    }
}

#[test]
fn an_old_entry_behind_a_new_one_does_not_count() {
    let (place, lengths) = three_batches();
    let mut damaged = std::fs::read(place.journal_path()).unwrap();
    damaged[lengths[1] - 1] ^= 1;
    std::fs::write(place.journal_path(), damaged).unwrap();
    // As long as the entry that it is written over, so that the third one lies right behind it again.
    let log = place.log();
    log.commit(1, batch(6, b"SECOND\n")).unwrap();
    assert_eq!(place.log().state().stored, 13);
}

#[test]
fn data_without_a_journal_is_refused_and_not_touched() {
    let place = Place::new();
    std::fs::create_dir_all(place.data_path().parent().unwrap()).unwrap();
    std::fs::write(place.data_path(), b"somebody's").unwrap();
    let refused = refusal(&place);
    assert!(matches!(refused, StoreError::NoJournal { bytes: 10, .. }), "{refused}");
    assert!(refused.to_string().contains(place.data_path().to_str().unwrap()), "{refused}");
    assert_eq!(place.data(), b"somebody's");
    assert!(!place.journal_path().exists());
}

#[test]
fn a_shortened_or_deleted_data_file_is_refused_with_both_lengths() {
    let (place, _) = three_batches();
    let journal = std::fs::read(place.journal_path()).unwrap();
    std::fs::write(place.data_path(), b"first").unwrap();
    let refused = refusal(&place);
    assert!(matches!(refused, StoreError::Shortened { has: Some(5), committed: 19, .. }), "{refused}");
    assert_eq!(place.data(), b"first");
    std::fs::remove_file(place.data_path()).unwrap();
    let refused = refusal(&place);
    assert!(matches!(refused, StoreError::Shortened { has: None, committed: 19, .. }), "{refused}");
    assert!(!place.data_path().exists());
    assert_eq!(std::fs::read(place.journal_path()).unwrap(), journal);
}

#[test]
fn a_file_that_is_no_journal_is_refused_and_not_touched() {
    let (place, _) = three_batches();
    let whole = std::fs::read(place.journal_path()).unwrap();
    for (at, problem) in [(0, "none of fedtail's files"), (7, "another version"), (9, "header is damaged")] {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x40;
        std::fs::write(place.journal_path(), &damaged).unwrap();
        let refused = refusal(&place).to_string();
        assert!(refused.contains(problem), "{refused}");
        assert_eq!(std::fs::read(place.journal_path()).unwrap(), damaged);
    }
}

#[test]
fn a_journal_that_contradicts_itself_is_refused_and_not_touched() {
    let entry = |epoch, stored| Record { epoch, stored, received: stored, ..Record::default() };
    for entries in [[entry(1, 6), entry(1, 3)], [entry(2, 0), entry(1, 0)]] {
        let place = Place::new();
        place.log().open_stream(b"one", b"").unwrap();
        let store = place.open();
        let path = layout::journal(&key());
        let new = Path::new(layout::NEW).join("0");
        Journal::create(&*store.shared.disk, new, &path, place.boot, &entries, false).unwrap();
        let before = std::fs::read(place.journal_path()).unwrap();
        let refused = refusal(&place).to_string();
        assert!(refused.contains("its entries contradict each other; put it back from a backup"), "{refused}");
        assert_eq!(std::fs::read(place.journal_path()).unwrap(), before);
    }
}

#[test]
fn a_log_whose_openings_can_be_counted_no_further_is_refused_and_not_opened() {
    let place = Place::new();
    place.log().open_stream(b"one", b"").unwrap();
    let store = place.open();
    let path = layout::journal(&key());
    let new = Path::new(layout::NEW).join("0");
    let last = Record { epoch: u64::MAX, ..Record::default() };
    Journal::create(&*store.shared.disk, new, &path, place.boot, &[last], false).unwrap();
    let log = place.log();
    let refused = log.open_stream(b"two", b"").map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("its last opening has the greatest number that there is; put it back"), "{refused}");
    assert_eq!(log.state().epoch, u64::MAX);
}

#[test]
fn a_link_out_of_the_store_is_not_followed() {
    let place = Place::new();
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("file"), b"outside").unwrap();
    let site = place.data_path().parent().unwrap().to_owned();
    std::fs::create_dir_all(&site).unwrap();
    std::os::unix::fs::symlink(outside.path().join("file"), place.data_path()).unwrap();
    assert!(matches!(refusal(&place), StoreError::Io { .. }));
    std::fs::remove_file(place.data_path()).unwrap();
    std::fs::remove_dir(&site).unwrap();
    std::os::unix::fs::symlink(outside.path(), &site).unwrap();
    let opened: Result<Arc<StoredLog>, _> = Store::log(&place.open(), &key());
    assert!(opened.and_then(|log| log.open_stream(b"one", b"")).is_err());
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
}

/// The machine goes down; the data file then has these bytes in place of what it had.
fn power_loss(place: &mut Place, data: Option<&[u8]>) {
    place.boot.0[0] += 1;
    match data {
        Some(data) => std::fs::write(place.data_path(), data).unwrap(),
        None => std::fs::remove_file(place.data_path()).unwrap(),
    }
}

#[test]
fn after_a_power_loss_the_log_goes_back_to_the_longest_beginning_that_holds() {
    let cases: [(Option<&[u8]>, u64); 7] = [
        (Some(b"first\nsecond\nthird\n"), 19),
        (Some(b"first\nsecond\nthird\nmore"), 19),
        (Some(b"first\nsecond\nthi"), 13),
        (Some(b"first\nsecond\n\0\0\0\0\0\0"), 13),
        (Some(b"first\n\0\0\0\0\0\0\0third\n"), 6),
        (Some(b"\0irst\nsecond\nthird\n"), 0),
        (None, 0),
    ];
    for (data, holds) in cases {
        let (mut place, _) = three_batches();
        power_loss(&mut place, data);
        let log = place.log();
        let state = log.state();
        assert_eq!((state.stored, state.received, offset(&state)), (holds, holds, holds), "{data:?}");
        assert_eq!(state.epoch, 1);
        // The rest is sent again, and all is as if nothing had happened.
        log.open_stream(b"two", b"").unwrap();
        log.commit(2, batch(holds, &b"first\nsecond\nthird\n"[holds as usize..])).unwrap();
        log.end(2, end(EndKind::Complete), vec![]).unwrap();
        assert_eq!(place.data(), b"first\nsecond\nthird\n");
        assert_eq!(place.log().state(), log.state());
    }
}

#[test]
fn a_log_that_nobody_used_in_between_is_still_verified_later() {
    let (mut place, _) = three_batches();
    power_loss(&mut place, Some(b"first\nsecond\n"));
    place.open();
    assert_eq!(place.log().state().stored, 13);
}

#[test]
fn what_was_verified_once_is_not_rolled_back_but_refused_when_it_is_cut_later() {
    let (mut place, _) = three_batches();
    power_loss(&mut place, Some(b"first\nsecond\nthird\n"));
    let heard = std::fs::metadata(place.journal_path()).unwrap().modified().unwrap();
    place.log();
    assert_eq!(std::fs::metadata(place.journal_path()).unwrap().modified().unwrap(), heard);
    std::fs::write(place.data_path(), b"first\n").unwrap();
    assert!(matches!(refusal(&place), StoreError::Shortened { has: Some(6), committed: 19, .. }));
    power_loss(&mut place, Some(b"first\n"));
    assert!(matches!(refusal(&place), StoreError::Shortened { has: Some(6), committed: 19, .. }));
}

#[test]
fn a_journal_that_a_power_loss_left_blank_begins_anew() {
    for blank in [0, 8192] {
        let (mut place, _) = three_batches();
        power_loss(&mut place, Some(b"first\nsecond\nthird\n"));
        std::fs::write(place.journal_path(), vec![0; blank]).unwrap();
        let log = place.log();
        assert_eq!(log.state(), LogState::default());
        log.open_stream(b"two", b"").unwrap();
        log.commit(1, batch(0, b"first\nsec")).unwrap();
        assert_eq!(place.data(), b"first\nsecond\nthird\n", "what is alike stays");
        assert_eq!(place.log().state(), log.state());
    }
}

#[test]
fn an_epoch_is_never_given_twice_whatever_a_power_loss_took() {
    let (mut place, _) = three_batches();
    assert_eq!(place.log().open_stream(b"two", b"").unwrap().epoch, 2);
    power_loss(&mut place, Some(b"first\n"));
    let log = place.log();
    assert_eq!((log.state().epoch, log.state().stored), (2, 6));
    assert_eq!(log.open_stream(b"three", b"").unwrap().epoch, 3);
}

#[test]
fn an_end_that_a_power_loss_took_the_data_from_is_no_end() {
    let (mut place, _) = three_batches();
    place.log().end(1, end(EndKind::Complete), vec![]).unwrap();
    power_loss(&mut place, Some(b"first\nsecond\n"));
    assert_eq!(place.log().state().end, None);
}

#[test]
fn bytes_that_a_discard_could_not_delete_any_more_are_deleted_at_the_next_start() {
    let (place, _) = three_batches();
    let log = place.log();
    log.end(1, end(EndKind::Complete), vec![]).unwrap();
    log.discard(1).unwrap();
    std::fs::write(place.data_path(), b"first\nsecond\nthird\n").unwrap();
    assert_eq!(place.log().state().stored, 0);
    assert!(!place.data_path().exists());
}

#[test]
fn a_process_that_ends_between_data_and_entry_goes_on_exactly() {
    let (place, _) = three_batches();
    // What the next commit would have written.
    let data = std::fs::OpenOptions::new().write(true).open(place.data_path()).unwrap();
    std::os::unix::fs::FileExt::write_at(&data, b"four", 19).unwrap();
    let log = place.log();
    assert_eq!(log.state().stored, 19);
    let epoch = log.open_stream(b"two", b"").unwrap().epoch;
    assert!(matches!(log.commit(1, Batch::default()), Err(CommitError::Fenced { .. })));
    log.commit(epoch, batch(19, b"fourth\n")).unwrap();
    assert_eq!(place.data(), b"first\nsecond\nthird\nfourth\n");
}
