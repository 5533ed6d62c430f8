use std::os::unix::fs::MetadataExt;
use std::sync::atomic::Ordering::SeqCst;

use super::super::testing::{Place, batch, end, key};
use super::super::{Batch, Durability, Store};
use super::*;
use crate::wire::EndKind;

fn reader(place: &Place) -> Reader {
    Reader::open(place.dir.path()).unwrap()
}

#[test]
fn a_reader_sees_what_is_committed_and_not_a_byte_more() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    let mut reads = reader(&place).log(&key()).unwrap();
    assert_eq!(reads.read_at(0, 100).unwrap(), "");
    assert_eq!(reads.last_lines(3).unwrap(), 0);
    log.commit(1, batch(0, b"first\n")).unwrap();
    std::fs::write(place.data_path(), b"first\nnot committed").unwrap();
    assert_eq!(reads.read_at(0, 100).unwrap(), "", "nothing new before a refresh");
    assert_eq!(reads.refresh().unwrap().stored, 6);
    assert_eq!(reads.read_at(0, 100).unwrap(), "first\n");
    assert_eq!(reads.read_at(2, 3).unwrap(), "rst");
    assert_eq!(reads.read_at(6, 100).unwrap(), "");
    assert_eq!(reads.read_at(1000, 100).unwrap(), "");
    assert_eq!(reads.last_lines(1).unwrap(), 0);
}

#[test]
fn a_reader_goes_on_over_a_compacted_journal() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    let mut reads = reader(&place).log(&key()).unwrap();
    let inode = || std::fs::metadata(place.journal_path()).unwrap().ino();
    let first = inode();
    let words = "x".repeat(1000);
    let mut stored = 0;
    while inode() == first {
        let line = Batch { dropped: vec![words.clone()], ..batch(stored, b"a line\n") };
        stored = log.commit(1, line).unwrap().stored;
        assert_eq!(reads.refresh().unwrap().stored, stored);
    }
    log.commit(1, batch(stored, b"the last\n")).unwrap();
    assert_eq!(reads.refresh().unwrap().stored, stored + 9);
    assert_eq!(*reads.state(), log.state());
    assert_eq!(reads.last_lines(2).unwrap(), stored - 7);
    assert_eq!(reads.read_at(stored - 7, 100).unwrap(), "a line\nthe last\n");
}

#[test]
fn a_reader_beside_a_writer_sees_one_growing_beginning() {
    const LINE: &[u8] = b"0123456789abcde\n";
    const LINES: u64 = 3000;
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    let mut reads = reader(&place).log(&key()).unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for number in 0..LINES {
                let words = vec!["x".repeat(500)];
                log.commit(1, Batch { dropped: words, ..batch(number * 16, LINE) }).unwrap();
            }
        });
        let mut read = 0;
        while read < LINES * 16 {
            let stored = reads.refresh().unwrap().stored;
            assert!(stored >= read && stored.is_multiple_of(16), "{stored} after {read}");
            let bytes = reads.read_at(read, 1 << 20).unwrap();
            assert!(bytes.chunks(16).all(|line| line == LINE));
            read += bytes.len() as u64;
        }
    });
    assert_eq!(reads.refresh().unwrap().stored, LINES * 16);
}

#[test]
fn a_reader_of_a_discarded_log_sees_that_it_is_empty_and_what_comes_after() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"secret\n")).unwrap();
    let mut reads = reader(&place).log(&key()).unwrap();
    assert_eq!(reads.read_at(0, 100).unwrap(), "secret\n");
    log.end(1, end(EndKind::Complete), vec![]).unwrap();
    log.discard(1).unwrap();
    assert_eq!(reads.refresh().unwrap().stored, 0);
    assert_eq!(reads.read_at(0, 100).unwrap(), "");
    log.open_stream(b"one", b"").unwrap();
    log.commit(2, batch(7, b"new\n")).unwrap();
    reads.refresh().unwrap();
    assert_eq!(reads.read_at(0, 100).unwrap(), "new\n");
}

#[test]
fn a_log_cut_by_somebody_is_told_and_not_read_as_ended() {
    let place = Place::new();
    let log = place.log();
    log.open_stream(b"one", b"").unwrap();
    log.commit(1, batch(0, b"first\nsecond\n")).unwrap();
    std::fs::write(place.data_path(), b"first\n").unwrap();
    let reads = reader(&place).log(&key()).unwrap();
    for told in [reads.read_at(6, 100).unwrap_err(), reads.last_lines(1).unwrap_err()] {
        assert!(matches!(told, StoreError::Shortened { has: Some(6), committed: 13, .. }), "{told}");
    }
}

#[test]
fn all_logs_are_listed_in_order_with_when_they_were_heard() {
    let place = Place::new();
    let store = place.open();
    let named = |names: [&str; 3]| LogKey {
        job: names[0].parse().unwrap(),
        site: names[1].parse().unwrap(),
        log: names[2].parse().unwrap(),
    };
    // Names that the store's own files would have if they were not kept apart.
    let names = [["lock", "b", "log"], [".x", "b", "log"], ["job", ".lock", ".new"], ["job", "b", "x"]];
    for names in names.into_iter().filter(|names| !names[0].starts_with('.')) {
        store.log(&named(names)).unwrap().open_stream(b"one", b"").unwrap();
    }
    place.now.store(2_000_000, SeqCst);
    let heard = store.log(&named(["job", "b", "x"])).unwrap();
    heard.commit(1, batch(0, b"bytes")).unwrap();
    heard.heard();
    std::fs::write(place.dir.path().join(".fedtail/job/b/foreign"), b"somebody put this here").unwrap();
    std::fs::write(place.dir.path().join(".fedtail/foreign"), b"and this").unwrap();
    let listed = reader(&place).list().unwrap();
    let listed: Vec<_> = listed.iter().map(|log| [&log.job[..], &log.site, &log.log]).collect();
    assert_eq!(listed, [["job", ".lock", ".new"], ["job", "b", "x"], ["lock", "b", "log"]]);
    let entry = &reader(&place).list().unwrap()[1];
    assert_eq!((entry.stored, entry.last_heard_ns), (5, 2_000_000_000_000_000));
    assert_eq!(store.logs().unwrap().len(), 4, "the store itself names the foreign one, and refuses it in words");
    assert!(store.log(&named(["job", "b", "foreign"])).is_err());
}

#[test]
fn a_log_or_a_store_that_is_not_there_is_told_in_words() {
    let place = Place::new();
    place.open();
    let told = reader(&place).log(&key()).map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("has no log job/site/log"), "{told}");
    let missing = place.dir.path().join("missing");
    let told = Reader::open(&missing).map(|_| ()).unwrap_err().to_string();
    assert!(told.starts_with("can't open the store") && told.contains("missing"), "{told}");
    assert!(!missing.exists());
}

#[test]
fn a_reader_knows_whether_a_server_runs_and_does_not_keep_one_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let reader = Reader::open(dir.path()).unwrap();
    assert!(!reader.server_is_running());
    let store = Store::open(dir.path(), Durability::Process).unwrap();
    assert!(reader.server_is_running());
    drop(store);
    assert!(!reader.server_is_running());
    Store::open(dir.path(), Durability::Process).unwrap();
}
