//! Growth, and rotation by rename.

use super::*;
use crate::source::SourceError;

#[test]
fn a_log_is_followed_as_it_grows() {
    let dir = Memos::default();
    let mut reader = Reader::of(dir.clone());
    assert_eq!(reader.source.resume(None, false).unwrap(), Next::NoneYet);
    dir.make("log.txt", "");
    assert_eq!(reader.source.resume(None, false).unwrap(), Next::NoneYet, "a file is entered with its first byte");
    dir.append("log.txt", "a\n");
    reader.drain().has_read("a\n");
    dir.append("log.txt", "b\n");
    reader.drain().has_read("a\nb\n");
    reader.lost_nothing();
}

#[test]
fn bytes_that_are_no_text_pass_unchanged() {
    let dir = Memos::default();
    dir.make("log.txt", "\0\0\u{1}\0");
    let mut reader = Reader::of(dir.clone());
    reader.drain().has_read("\0\0\u{1}\0");
    dir.append("log.txt", "\0\n\0");
    reader.drain().has_read("\0\0\u{1}\0\0\n\0");
}

#[test]
fn a_first_start_begins_with_the_oldest_rotated_file() {
    let dir = Memos::default();
    for number in (1..=10).rev() {
        dir.make(&format!("log.txt.{number}"), &format!("{number}\n"));
    }
    dir.make("log.txt", "0\n");
    let mut reader = Reader::of(dir);
    reader.drain().has_read("10\n9\n8\n7\n6\n5\n4\n3\n2\n1\n0\n");
    reader.lost_nothing();
}

#[test]
fn a_rotated_file_is_read_to_its_end_before_its_successor() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    shift(&dir, 0);
    dir.make("log.txt", "three\n");
    assert_eq!(reader.after(), Next::Unread);
    while reader.read(100) > 0 {}
    // The writer still had the old file open.
    dir.append("log.txt.1", "late\n");
    assert_eq!(reader.after(), Next::Unread);
    reader.drain().has_read("one\ntwo\nlate\nthree\n");
    reader.lost_nothing();
}

#[test]
fn several_rotations_between_two_looks_lose_nothing() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.append("log.txt", "a2\n");
    for (present, text) in ["b\n", "c\n", "d\n"].into_iter().enumerate() {
        shift(&dir, present as u32);
        dir.make("log.txt", text);
    }
    reader.drain().has_read("a\na2\nb\nc\nd\n");
    reader.lost_nothing();
}

#[test]
fn rotation_to_rising_numbers_is_recognised_by_the_file_that_was_held() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    for (name, text) in [("log.txt.1", "b\n"), ("log.txt.2", "c\n"), ("log.txt.3", "d\n")] {
        dir.rename("log.txt", name);
        dir.make("log.txt", text);
    }
    reader.drain().has_read("a\nb\nc\nd\n");
    reader.lost_nothing();
}

#[test]
fn rotation_to_dates_is_followed() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.rename("log.txt", "log.2024-01-31.txt");
    dir.make("log.txt", "b\n");
    dir.rename("log.txt", "log.2024-02-01.txt");
    dir.make("log.txt", "c\n");
    reader.drain().has_read("a\nb\nc\n");
    reader.lost_nothing();
}

#[test]
fn an_order_that_can_not_be_told_is_guessed_and_said() {
    let dir = Memos::default();
    for (name, text) in [("log.txt.1", "a\n"), ("log.txt.3", "b\n"), ("log.txt.2", "c\n"), ("log.txt", "d\n")] {
        dir.make(name, text);
    }
    let mut reader = Reader::of(dir);
    reader.drain();
    assert_eq!(reader.text.len(), 8);
    reader.lost(GapReason::Ambiguous, None, "log.txt.3");
}

#[test]
fn a_file_that_is_deleted_while_it_is_held_is_read_to_its_end() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.delete("log.txt");
    dir.make("log.txt", "three\n");
    reader.drain().has_read("one\ntwo\nthree\n");
    reader.lost_nothing();
}

#[test]
fn a_generation_seen_at_one_look_is_held_though_it_is_deleted_before_its_turn() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    shift(&dir, 0);
    dir.make("log.txt", "b\n");
    reader.source.refresh().unwrap();
    dir.delete("log.txt.1");
    dir.rename("log.txt", "log.txt.1");
    dir.make("log.txt", "c\n");
    reader.source.refresh().unwrap();
    dir.delete("log.txt.1");
    reader.drain().has_read("a\nb\nc\n");
    reader.lost_nothing();
}

#[test]
fn a_whole_generation_between_two_scans_of_one_look_is_found() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    shift(&dir, 0);
    dir.make("log.txt", "b\n");
    dir.before_scan(|_| {});
    dir.before_scan(|dir| {
        shift(dir, 1);
        dir.make("log.txt", "c\n");
    });
    dir.before_scan(|dir| {
        shift(dir, 2);
        dir.make("log.txt", "d\n");
    });
    reader.drain().has_read("a\nb\nc\nd\n");
    reader.lost_nothing();
}

#[test]
fn a_file_with_two_names_counts_once() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    dir.link("log.txt", "log.txt.1");
    let mut reader = Reader::of(dir.clone());
    reader.drain().has_read("a\n");
    dir.delete("log.txt");
    dir.make("log.txt", "b\n");
    reader.drain().has_read("a\nb\n");
    reader.lost_nothing();
}

#[test]
fn empty_rotated_files_are_passed() {
    let dir = Memos::default();
    for (name, text) in [("log.txt.3", "a\n"), ("log.txt.2", ""), ("log.txt.1", ""), ("log.txt", "")] {
        dir.make(name, text);
    }
    let mut reader = Reader::of(dir.clone());
    reader.drain().has_read("a\n");
    dir.append("log.txt", "b\n");
    reader.drain().has_read("a\nb\n");
    assert_eq!(reader.progress.as_ref().unwrap().consumed.len(), 1);
    reader.lost_nothing();
}

#[test]
fn the_same_text_under_another_inode_is_the_same_file() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(4);
    dir.copy("log.txt", "log.txt");
    dir.append("log.txt", "three\n");
    reader.drain().has_read("one\ntwo\nthree\n");
    reader.lost_nothing();
}

#[test]
fn lines_written_to_a_file_that_was_let_go_are_a_gap() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    shift(&dir, 0);
    dir.make("log.txt", "b\n");
    reader.drain();
    dir.append("log.txt.1", "late\n");
    reader.acknowledge().drain().has_read("a\nb\n");
    reader.lost(GapReason::Unspecified, Some(5), "log.txt.1");
}

#[test]
fn files_are_let_go_with_the_acknowledgement_and_their_references_with_them() {
    let dir = Memos::default();
    dir.make("log.txt", "a\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    let first = reader.at.unwrap().0;
    shift(&dir, 0);
    dir.make("log.txt", "b\n");
    reader.drain();
    assert_eq!(reader.source.unacknowledged(), 4);
    assert_eq!(reader.source.read(first, 0, 100).unwrap(), "a\n");
    reader.acknowledge();
    assert_eq!(reader.source.unacknowledged(), 0);
    assert!(matches!(reader.source.read(first, 0, 100), Err(SourceError::Stale)));
    reader.source.resume(reader.progress.as_ref(), false).unwrap();
    assert!(matches!(reader.source.after(reader.at.unwrap().0), Err(SourceError::Stale)));
}

#[test]
fn an_offset_that_was_not_read_is_refused_with_words() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntwo\n");
    let mut reader = Reader::of(dir);
    reader.resume(None).read(4);
    let file = reader.at.unwrap().0;
    let words = reader.source.read(file, 5, 10).unwrap_err().to_string();
    assert_eq!(words, "offset 5 of log.txt is not between 0 and 4, which is what was read and is still held");
    assert!(reader.source.progress_at(file, 5).is_err());
    assert!(reader.source.progress_at(file, 0).is_err());
}

#[test]
fn a_read_from_within_what_was_read_goes_on_with_what_is_new() {
    let dir = Memos::default();
    dir.make("log.txt", "one\ntw");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.append("log.txt", "o\n");
    let file = reader.at.unwrap().0;
    assert_eq!(reader.source.read(file, 4, 100).unwrap(), "two\n");
    assert_eq!(reader.source.unacknowledged(), 8);
    reader.source.acknowledged(file, 8);
    assert_eq!(reader.source.read(file, 4, 2).unwrap(), "tw", "from the file, once it is forgotten");
}

#[test]
fn a_log_that_may_not_be_read_is_an_error_with_its_name_and_is_read_once_it_may() {
    let dir = Memos::default();
    dir.make("log.txt.1", "one\n");
    dir.make("log.txt", "two\n");
    dir.deny("log.txt", true);
    let mut reader = Reader::of(dir.clone());
    let error = reader.source.resume(None, false).unwrap_err();
    assert_eq!(error.to_string(), "log.txt may not be read by the user that this runs as; grant it read access");
    dir.deny("log.txt", false);
    reader.drain().has_read("one\ntwo\n");
    reader.lost_nothing();
}

#[test]
fn a_rotated_file_that_may_not_be_read_is_a_gap_of_its_size() {
    let dir = Memos::default();
    dir.make("log.txt.1", "one\n");
    dir.make("log.txt", "two\n");
    dir.deny("log.txt.1", true);
    let mut reader = Reader::of(dir);
    reader.drain().has_read("two\n");
    reader.lost(GapReason::Unspecified, Some(4), "log.txt.1 may not be read");
}

#[test]
fn beyond_the_most_open_files_what_is_deleted_before_its_turn_is_a_gap() {
    let dir = Memos::default();
    let mut expected = String::new();
    for number in (1..=80).rev() {
        let line = format!("{number} is a line\n");
        dir.make(&format!("log.txt.{number}"), &line);
        // Files are seen in the order of their names, so this is beyond those that are held.
        if number != 9 {
            expected.push_str(&line);
        }
    }
    let mut reader = Reader::of(dir.clone());
    reader.source.refresh().unwrap();
    dir.delete("log.txt.9");
    reader.drain().has_read(&expected);
    reader.lost(GapReason::Deleted, Some(12), "log.txt.9");
    // A file that is not held is found all the same after a restart.
    let mut fresh = Reader::of(dir);
    let at = reader.source.chain.iter_mut().find(|held| held.name == "log.txt.8").unwrap().witness(&reader.source.key);
    let stored = Progress { at, ..Progress::default() };
    let begin = expected.find("\n7 ").unwrap() + 1;
    fresh.resume(Some(&stored)).drain().has_read(&expected[begin..]);
    fresh.lost_nothing();
}

#[test]
fn files_that_are_renamed_in_the_middle_of_a_look_are_put_in_order_when_all_are_there() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain().acknowledge();
    shift(&dir, 0);
    dir.make("log.txt", "two\n");
    shift(&dir, 1);
    dir.make("log.txt", "three\n");
    // Just after the scan: what was the log and the first rotated file are under other names when they are opened.
    dir.before_open(|dir| {
        shift(dir, 2);
        dir.make("log.txt", "four\n");
    });
    reader.drain().has_read("one\ntwo\nthree\nfour\n");
    reader.lost_nothing();
}
