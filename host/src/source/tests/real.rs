//! The same with files of this machine.

use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::*;

fn open(dir: &Path) -> Reader {
    Reader::with(LogSource::open(&dir.join("log.txt"), AnchorKey::from_secret(b"secret")).unwrap())
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

#[test]
fn a_log_that_is_rotated_while_it_is_read_arrives_whole() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.txt");
    let mut reader = open(dir.path());
    reader.drain().has_read("");
    let mut expected = String::new();
    for round in 0..30 {
        let line = format!("{round} {}\n", "x".repeat(round * 700));
        append(&log, &line);
        expected.push_str(&line);
        if round % 3 == 2 {
            for number in (1..5).rev() {
                let _ = fs::rename(
                    dir.path().join(format!("log.txt.{number}")),
                    dir.path().join(format!("log.txt.{}", number + 1)),
                );
            }
            fs::rename(&log, dir.path().join("log.txt.1")).unwrap();
        }
        if round % 5 == 0 {
            reader.drain().acknowledge();
        }
    }
    reader.drain().has_read(&expected);
    reader.lost_nothing();
}

#[test]
fn a_rotated_file_that_is_deleted_while_held_is_read_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.txt");
    append(&log, "one\ntwo\n");
    let mut reader = open(dir.path());
    reader.resume(None).read(4);
    fs::rename(&log, dir.path().join("log.txt.1")).unwrap();
    append(&log, "three\n");
    fs::remove_file(dir.path().join("log.txt.1")).unwrap();
    reader.drain().has_read("one\ntwo\nthree\n");
    reader.lost_nothing();
}

#[test]
fn copy_and_truncate_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.txt");
    append(&log, "one\ntwo\n");
    let mut reader = open(dir.path());
    reader.resume(None).read(4);
    fs::copy(&log, dir.path().join("log.txt.1")).unwrap();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, "three\n");
    reader.drain().acknowledge().has_read("one\ntwo\nthree\n");
    // Again, over the same copy.
    append(&log, "four\n");
    fs::copy(&log, dir.path().join("log.txt.1")).unwrap();
    fs::OpenOptions::new().write(true).open(&log).unwrap().set_len(0).unwrap();
    append(&log, "5\n");
    reader.drain().has_read("one\ntwo\nthree\nfour\n5\n");
    reader.lost_nothing();
}

#[test]
fn a_restart_after_rotations_goes_on_in_the_rotated_file() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.txt");
    let big = "x".repeat(300_000);
    append(&log, &big);
    let stored = open(dir.path()).drain().progress.clone();
    append(&log, "rest\n");
    for number in [2, 1] {
        fs::rename(&log, dir.path().join(format!("log.txt.{number}"))).unwrap();
        append(&log, &format!("after {number}\n"));
    }
    let mut reader = open(dir.path());
    reader.resume(stored.as_ref()).drain().has_read("rest\nafter 2\nafter 1\n");
    reader.lost_nothing();
}

#[test]
fn a_missing_directory_is_an_error_in_words_and_a_missing_log_is_none() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none").join("log.txt");
    let error = LogSource::open(&missing, AnchorKey::from_secret(b"s")).map(|_| ()).unwrap_err();
    let words =
        format!("there is no directory {}; create it, or check the log's path", dir.path().join("none").display());
    assert_eq!(error.to_string(), words);
    assert_eq!(open(dir.path()).source.resume(None, false).unwrap(), Next::NoneYet);
}

#[test]
fn a_directory_can_not_be_followed_as_a_log() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("log.txt")).unwrap();
    let error = LogSource::open(&dir.path().join("log.txt"), AnchorKey::from_secret(b"s")).map(|_| ()).unwrap_err();
    assert!(error.to_string().ends_with("can't be followed as a log: it is not a regular file"), "{error}");
}

#[test]
fn the_files_number_and_size_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log.txt");
    append(&log, "one\n");
    let mut reader = open(dir.path());
    reader.drain();
    append(&log, "two\n");
    let metadata = fs::metadata(&log).unwrap();
    let stat = reader.source.stat(reader.at.unwrap().0).unwrap();
    assert_eq!((stat.device, stat.inode, stat.size), (metadata.dev(), metadata.ino(), 8));
}
