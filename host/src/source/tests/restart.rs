//! A site that starts again, with nothing but what the server has stored.

use super::*;
use crate::source::SourceError;

/// Everything of `log.txt`, read and stored by a site that then stops.
fn stored(dir: &Memos) -> Progress {
    Reader::of(dir.clone()).drain().progress.clone().unwrap()
}

#[test]
fn a_restart_goes_on_where_the_store_stands() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    dir.append("log.txt", "two\n");
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("two\n");
    reader.lost_nothing();
}

#[test]
fn a_restart_after_three_rotations_loses_nothing_and_sends_nothing_twice() {
    let dir = Memos::default();
    dir.make("log.txt.1", "zero\n");
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    dir.append("log.txt", "two\n");
    for (present, text) in ["three\n", "four\n", "five\n"].into_iter().enumerate() {
        shift(&dir, 1 + present as u32);
        dir.make("log.txt", text);
    }
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("two\nthree\nfour\nfive\n");
    reader.lost_nothing();
}

#[test]
fn what_the_server_has_last_tells_which_way_numbers_run() {
    for (last, next, after) in [("log.txt.3", "log.txt.2", "log.txt.1"), ("log.txt.1", "log.txt.2", "log.txt.3")] {
        let dir = Memos::default();
        dir.make("log.txt", "one\n");
        let stored = stored(&dir);
        dir.rename("log.txt", last);
        for (name, text) in [(next, "two\n"), (after, "three\n"), ("log.txt", "four\n")] {
            dir.make(name, text);
        }
        for name in [last, next, after] {
            dir.touch(name, 7);
        }
        let mut reader = Reader::of(dir);
        reader.resume(Some(&stored)).drain().has_read("two\nthree\nfour\n");
        reader.lost_nothing();
    }
}

#[test]
fn a_number_that_is_missing_behind_what_the_server_has_is_told_as_unproven() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    for (present, text) in ["two\n", "three\n", "four\n"].into_iter().enumerate() {
        shift(&dir, present as u32);
        dir.make("log.txt", text);
    }
    dir.delete("log.txt.2");
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("three\nfour\n");
    reader.lost(GapReason::Unproven, None, "file number 2 of");
}

#[test]
fn a_rotation_that_is_under_way_is_no_hole() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    for (present, text) in ["two\n", "three\n", "four\n"].into_iter().enumerate() {
        shift(&dir, present as u32);
        dir.make("log.txt", text);
    }
    // As it looks between two renames, for the two looks of a start that have to agree.
    dir.rename("log.txt.3", "log.txt.4");
    dir.rename("log.txt.2", "log.txt.3");
    let go_on = |dir: &Memos| {
        dir.rename("log.txt.1", "log.txt.2");
        dir.rename("log.txt", "log.txt.1");
        dir.make("log.txt", "five\n");
    };
    for _ in 0..2 {
        dir.before_scan(|_| {});
    }
    dir.before_scan(go_on);
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("two\nthree\nfour\nfive\n");
    reader.lost_nothing();
}

#[test]
fn a_restart_after_a_copy_and_a_cut_finds_the_rest_in_the_copy() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    dir.append("log.txt", "two\n");
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "three\n");
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("two\nthree\n");
    reader.lost_nothing();
}

#[test]
fn a_copy_and_a_cut_while_a_started_site_waits_for_the_server_lose_nothing_and_send_nothing_twice() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    let mut reader = Reader::of(dir.clone());
    // It looks at each event, also before the server has said where to go on.
    reader.source.refresh().unwrap();
    dir.append("log.txt", "two\n");
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "");
    reader.source.refresh().unwrap();
    dir.append("log.txt", "three\n");
    reader.resume(Some(&stored)).drain().has_read("two\nthree\n");
}

#[test]
fn a_store_that_lost_everything_after_the_log_was_cut_is_told_what_can_not_be_sent_again() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain().acknowledge();
    dir.rewrite("log.txt", "two and more\n");
    reader.text.clear();
    reader.resume(None).drain().has_read("two and more\n");
    assert!(reader.gaps[0].words.contains("no longer has what it had acknowledged"), "{:?}", reader.gaps);
}

#[test]
fn a_store_that_lost_everything_after_the_log_was_copied_and_cut_gets_all_of_it_from_the_copy() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain().acknowledge();
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "");
    reader.text.clear();
    reader.resume(None).drain().has_read("one\n");
    dir.append("log.txt", "two\n");
    reader.drain().has_read("one\ntwo\n");
    reader.lost_nothing();
}

#[test]
fn an_empty_file_that_becomes_a_copy_after_it_was_passed_has_the_rest() {
    let dir = Memos::default();
    dir.make("log.txt.1", "");
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.append("log.txt", "two\n");
    dir.append("log.txt.1", "one\ntwo\n");
    dir.rewrite("log.txt", "");
    reader.acknowledge().drain().has_read("one\ntwo\n");
    reader.lost_nothing();
}

#[test]
fn a_store_that_lost_everything_while_the_rest_comes_from_a_copy_gets_all_of_it_from_there() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain().acknowledge();
    dir.append("log.txt", "two\n");
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "three\n");
    reader.drain().has_read("one\ntwo\nthree\n");
    reader.text.clear();
    reader.resume(None).drain().has_read("one\ntwo\nthree\n");
    reader.lost_nothing();
}

#[test]
fn a_deleted_log_that_is_held_keeps_its_place_before_a_file_that_was_rotated_later() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain().acknowledge();
    let stored = reader.progress.clone();
    dir.rename("log.txt", "log.txt.1");
    dir.make("log.txt", "two\n");
    reader.source.refresh().unwrap();
    dir.delete("log.txt");
    dir.make("log.txt.2", "three\n");
    reader.text.clear();
    reader.resume(stored.as_ref()).drain().has_read("two\nthree\n");
}

#[test]
fn what_was_read_and_not_acknowledged_says_nothing_of_the_way_that_numbers_run() {
    let dir = Memos::default();
    dir.make("log.txt.1", "one\n");
    dir.make("log.txt", "two\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.rename("log.txt", "log.txt.2");
    dir.make("log.txt", "three\n");
    reader.drain();
    let stored = reader.progress.clone();
    dir.rename("log.txt", "log.txt.3");
    reader.text.clear();
    reader.resume(stored.as_ref()).drain().has_read("");
}

#[test]
fn a_clock_that_jumped_back_between_two_rotations_hides_no_file() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    dir.rename("log.txt", "log.txt.2");
    dir.make("log.txt.1", "two\n");
    dir.touch("log.txt.2", 1_000);
    dir.touch("log.txt.1", 10);
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("two\n");
}

#[test]
fn a_log_that_is_cut_to_nothing_before_anything_of_it_was_read_is_a_gap() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.source.refresh().unwrap();
    dir.rewrite("log.txt", "");
    reader.drain().has_read("");
    reader.lost(GapReason::Truncated, Some(4), "log.txt");
    dir.append("log.txt", "two\n");
    reader.drain().has_read("two\n");
}

#[test]
fn a_store_that_lost_everything_after_a_read_file_was_deleted_is_told_so() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.rename("log.txt", "log.txt.1");
    dir.make("log.txt", "two\n");
    reader.drain().acknowledge();
    dir.delete("log.txt.1");
    reader.text.clear();
    reader.resume(None).drain().has_read("two\n");
    reader.lost(GapReason::Deleted, None, "log.txt");
    // Also when the store loses it a second time.
    reader.acknowledge().gaps.clear();
    reader.resume(None).drain().lost(GapReason::Deleted, None, "log.txt");
}

#[test]
fn an_unrelated_file_with_the_inode_of_the_log_is_another_file() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let (stored, inode) = (stored(&dir), dir.inode("log.txt"));
    dir.delete("log.txt");
    dir.make_with_inode("log.txt", "unrelated and longer\n", inode);
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("unrelated and longer\n");
    reader.lost(GapReason::Deleted, None, "log.txt");
    // Told again if the link breaks before it is stored, and not twice at once.
    let words = reader.gaps.remove(0).words;
    reader.resume(Some(&stored));
    assert_eq!(reader.gaps.remove(0).words, words);
}

#[test]
fn the_inode_does_not_matter_where_the_text_is_the_same() {
    let dir = Memos::default();
    dir.make("log.txt.1", "zero\n");
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    dir.copy("log.txt.1", "log.txt.1");
    dir.copy("log.txt", "log.txt");
    dir.append("log.txt", "two\n");
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("two\n");
    reader.lost_nothing();
}

#[test]
fn of_files_beside_a_deleted_one_those_that_were_read_are_passed() {
    let dir = Memos::default();
    dir.make("log.txt.1", "zero\n");
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    dir.delete("log.txt");
    dir.make("log.txt", "three\n");
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("three\n");
    reader.lost(GapReason::Deleted, None, "log.txt");
}

#[test]
fn a_pending_file_that_was_deleted_meanwhile_is_a_gap_of_known_size() {
    let dir = Memos::default();
    for (name, text) in [("log.txt.2", "a\n"), ("log.txt.1", "bbb\n"), ("log.txt", "c\n")] {
        dir.make(name, text);
    }
    let mut reader = Reader::of(dir.clone());
    reader.resume(None).read(100);
    let stored = reader.progress.unwrap();
    assert_eq!(stored.pending.iter().map(|pending| pending.offset).collect::<Vec<_>>(), [4, 2]);
    dir.delete("log.txt.1");
    let mut reader = Reader::of(dir);
    reader.resume(Some(&stored)).drain().has_read("c\n");
    reader.lost(GapReason::Deleted, Some(4), "log.txt");
}

#[test]
fn an_ended_stream_goes_on_with_late_lines_of_the_same_source() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    let mut reader = Reader::of(dir.clone());
    let Next::Found(found) = reader.source.resume(Some(&stored), true).unwrap() else { panic!() };
    assert_eq!(reader.source.read(found.file, found.offset, 100).unwrap(), "", "once more adds nothing");
    dir.append("log.txt", "late\n");
    assert_eq!(reader.source.read(found.file, found.offset, 100).unwrap(), "late\n");
}

#[test]
fn a_different_source_under_an_ended_stream_is_refused_with_words() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let stored = stored(&dir);
    dir.delete("log.txt");
    let mut reader = Reader::of(dir.clone());
    assert_eq!(reader.source.resume(Some(&stored), true).unwrap(), Next::NoneYet, "nothing there to be compared");
    dir.make("log.txt", "another run\n");
    let error = reader.source.resume(Some(&stored), true).unwrap_err();
    assert!(matches!(error, SourceError::DifferentSource { .. }));
    assert!(error.to_string().starts_with("log.txt is not the log that the server has under this name"), "{error}");
}

#[test]
fn a_store_that_was_wiped_gets_what_still_exists() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    shift(&dir, 0);
    dir.make("log.txt", "two\n");
    reader.drain().acknowledge();
    reader.text.clear();
    reader.resume(None).drain().has_read("one\ntwo\n");
    reader.lost_nothing();
}

#[test]
fn a_store_that_was_rolled_back_gets_what_it_lacks_again() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    let back = reader.progress.clone();
    dir.append("log.txt", "two\n");
    reader.drain();
    shift(&dir, 0);
    dir.make("log.txt", "three\n");
    reader.drain().acknowledge();
    reader.text.clear();
    reader.resume(back.as_ref()).drain().has_read("two\nthree\n");
    reader.lost_nothing();
}

#[test]
fn a_reconnect_goes_on_in_memory_without_a_file_twice() {
    let dir = Memos::default();
    dir.make("log.txt", "one\n");
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    let stored = reader.progress.clone();
    for (present, text) in ["two\n", "three\n"].into_iter().enumerate() {
        shift(&dir, present as u32);
        dir.make("log.txt", text);
        reader.drain();
    }
    dir.delete("log.txt.2");
    dir.delete("log.txt.1");
    reader.text.clear();
    reader.resume(stored.as_ref()).drain().has_read("two\nthree\n");
    reader.lost_nothing();
}

#[test]
fn a_copy_that_ends_before_the_offset_is_not_read_again_by_a_new_process() {
    let line = |number: u32| format!("a line of a log of some length, number {number}\n");
    let text: String = (0..300).map(line).collect();
    let dir = Memos::default();
    dir.make("log.txt", &text);
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    dir.copy("log.txt", "log.txt.1");
    dir.append("log.txt", "read, and not in the copy\n");
    reader.drain();
    dir.rewrite("log.txt", "three\n");
    let mut again = Reader::of(dir.clone());
    again.resume(reader.progress.as_ref()).drain().has_read("three\n");
    again.lost(GapReason::Deleted, None, "log.txt");
}

#[test]
fn an_older_copy_that_ends_before_what_was_read_says_nothing_of_the_way_that_numbers_run() {
    let text = |of: &str| -> String { (0..300).map(|number| format!("a line of {of}, number {number}\n")).collect() };
    let dir = Memos::default();
    dir.make("log.txt", &text("the first text"));
    let mut reader = Reader::of(dir.clone());
    reader.drain();
    // Copied and cut while the site was ahead.
    dir.copy("log.txt", "log.txt.1");
    dir.append("log.txt", "read, and not in the copy\n");
    reader.drain();
    dir.rewrite("log.txt", &text("the second text"));
    reader.text.clear();
    reader.drain().has_read(&text("the second text"));
    // Once more while it is away.
    dir.rename("log.txt.1", "log.txt.2");
    dir.append("log.txt", "the rest\n");
    dir.copy("log.txt", "log.txt.1");
    dir.rewrite("log.txt", "the third text\n");
    let mut again = Reader::of(dir.clone());
    again.resume(reader.progress.as_ref()).drain().has_read("the rest\nthe third text\n");
}
