//! Truncation, copy-and-truncate, and files put in the log's place.

use super::*;

#[test]
fn a_log_that_was_read_to_its_end_and_cut_is_a_gap_of_unknown_size() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.rewrite("log.txt", "2\n");
    reader.drain().has_read("one\n2\n");
    reader.lost(GapReason::Truncated, None, "log.txt");
}

#[test]
fn a_cut_before_bytes_that_were_seen_says_how_many_were_lost() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.rewrite("log.txt", "3\n");
    reader.drain().has_read("one\n3\n");
    reader.lost(GapReason::Truncated, Some(4), "log.txt");
}

#[test]
fn a_log_that_was_cut_and_grew_beyond_the_offset_is_found_out() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.rewrite("log.txt", "another text, longer than the first\n");
    assert_eq!(reader.read(100), 0);
    reader.drain().has_read("one\nanother text, longer than the first\n");
    reader.lost(GapReason::Truncated, None, "log.txt");
}

#[test]
fn a_log_that_was_cut_and_grew_to_the_same_size_is_found_out() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.rewrite("log.txt", "two\n");
    reader.drain().has_read("one\ntwo\n");
    reader.lost(GapReason::Truncated, None, "log.txt");
}

#[test]
fn bytes_that_were_seen_and_are_gone_again_are_a_gap_in_the_middle() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.rewrite("log.txt", "one\n");
    reader.drain();
    dir.append("log.txt", "three\n");
    reader.drain().has_read("one\nthree\n");
    reader.lost(GapReason::Truncated, Some(4), "log.txt");
}

#[test]
fn a_gap_in_the_middle_is_told_again_until_a_byte_behind_it_is_stored() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.rewrite("log.txt", "one\n");
    reader.drain();
    let stored = reader.progress.clone();
    reader.gaps.clear();
    reader.resume(stored.as_ref()).lost(GapReason::Truncated, Some(4), "log.txt");
    dir.append("log.txt", "three\n");
    reader.drain().acknowledge();
    let stored = reader.progress.clone();
    reader.gaps.clear();
    reader.resume(stored.as_ref()).lost_nothing();
}

#[test]
fn a_log_that_is_cut_before_it_is_read_is_a_gap() {
    for entered in [false, true] {
        let dir = Memos::default();
        dir.make("log.txt", "one\n");
        let mut reader = Reader::of(dir.clone());
        reader.source.refresh().unwrap();
        if entered {
            reader.resume(None);
        }
        dir.rewrite("log.txt", "another text\n");
        reader.drain().has_read("another text\n");
        reader.lost(GapReason::Truncated, Some(4), "log.txt");
    }
}

#[test]
fn the_rest_of_a_log_that_was_copied_and_cut_is_read_from_the_copy() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.copy("log.txt", "log.txt.1");
    reader.source.refresh().unwrap();
    dir.rewrite("log.txt", "three\n");
    reader.drain().has_read("one\ntwo\nthree\n");
    reader.lost_nothing();
}

#[test]
fn a_log_that_was_copied_and_cut_twice_between_two_looks_loses_nothing() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "three\n");
    dir.rename("log.txt.1", "log.txt.2");
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "four\n");
    reader.drain().has_read("one\ntwo\nthree\nfour\n");
    reader.lost_nothing();
}

#[test]
fn a_copy_that_is_not_followed_by_a_cut_is_not_read() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.copy("log.txt", "log.txt.1");
    dir.append("log.txt", "two\n");
    reader.drain().has_read("one\ntwo\n");
    let mut fresh = Reader::of(dir);
    fresh.drain().has_read("one\ntwo\n");
    fresh.lost_nothing();
}

#[test]
fn a_copy_that_ends_before_the_offset_is_a_gap() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.copy("log.txt", "log.txt.1");
    dir.append("log.txt", "two\n");
    reader.drain();
    dir.rewrite("log.txt", "3\n");
    reader.drain().has_read("one\ntwo\n3\n");
    reader.lost(GapReason::Truncated, None, "log.txt");
}

#[test]
fn copies_that_end_before_the_offset_are_not_read_at_a_later_cut() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    let mut all = String::new();
    for (rotation, text) in ["two\n", "three\n", "four\n", "five\n"].into_iter().enumerate() {
        reader.drain();
        for number in (1..=rotation).rev() {
            dir.rename(&format!("log.txt.{number}"), &format!("log.txt.{}", number + 1));
        }
        dir.copy("log.txt", "log.txt.1");
        dir.append("log.txt", "read, and not in the copy\n");
        reader.drain().acknowledge();
        all = String::from_utf8(reader.text.clone()).unwrap();
        dir.rewrite("log.txt", text);
        reader.drain().acknowledge().has_read(&format!("{all}{text}"));
    }
    reader.drain().acknowledge().has_read(&format!("{all}five\n"));
    assert_eq!(reader.gaps.len(), 4, "{:?}", reader.gaps);
    assert!(reader.gaps.iter().all(|gap| gap.reason() == GapReason::Truncated && gap.lost.is_none()));
}

#[test]
fn what_was_read_and_not_stored_is_there_after_the_log_was_cut() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain().acknowledge();
    let stored = reader.progress.clone();
    dir.append("log.txt", "two\n");
    reader.drain();
    dir.rewrite("log.txt", "3\n");
    reader.drain().has_read("one\ntwo\n3\n");
    dir.append("log.txt", "4\n");
    // The link broke, and the server had the first line only.
    reader.gaps.clear();
    reader.text.clear();
    reader.resume(stored.as_ref()).drain().has_read("two\n3\n4\n");
    reader.lost(GapReason::Truncated, None, "log.txt");
    reader.acknowledge();
    assert_eq!(reader.source.unacknowledged(), 0);
}

#[test]
fn an_unrelated_file_in_the_logs_place_comes_after_it() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.make("log.txt", "unrelated\n");
    reader.drain().has_read("one\ntwo\nunrelated\n");
    reader.lost_nothing();
}

#[test]
fn a_copy_that_rotation_deleted_comes_before_those_that_are_there() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.source.refresh().unwrap();
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "");
    reader.source.refresh().unwrap();
    dir.append("log.txt", "two\n");
    dir.delete("log.txt.1");
    dir.copy("log.txt", "log.txt.2");
    dir.rewrite("log.txt", "three\n");
    reader.drain().has_read("one\ntwo\nthree\n");
    reader.lost_nothing();
}
