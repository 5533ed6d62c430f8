//! A log that is renamed, copied or cut while it is streamed.
//!
//! What happens between two looks at the log is made to by stopping the site's process for that time.

use std::fs;

use fedtail_tests::{Place, Process, Server, Signal, append, eventually_holds, stream};

/// A log of one site that has sent `content`.
fn streaming(place: &Place, server: &Server, content: &str) -> Process {
    append(&place.path("log.txt"), content);
    let site = stream(&server.target(place, "site-1"), "job-1", &[], &place.path("log.txt"));
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), content);
    site
}

/// Files that are renamed one after the other, as Python's handlers do, arrive as one log in order.
#[test]
fn rotation_by_rename_keeps_every_byte_in_order() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    let site = streaming(&place, &server, "file 0\n");
    let mut all = "file 0\n".to_owned();
    for file in 1..=4 {
        let (last, first) = (format!("the last line of file {}\n", file - 1), format!("file {file}\n"));
        append(&log, &last);
        for older in (1..file).rev() {
            fs::rename(place.path(&format!("log.txt.{older}")), place.path(&format!("log.txt.{}", older + 1))).unwrap();
        }
        fs::rename(&log, place.path("log.txt.1")).unwrap();
        append(&log, &first);
        all += &(last + &first);
        eventually_holds(&place.stored("job-1", "site-1", "log.txt"), &all);
    }
    site.stop().with_code(0);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), &all);
    server.ended("job-1/site-1/log.txt", "complete");
}

/// Also when several rotations happen before the site looks again.
#[test]
fn several_rotations_at_once_keep_every_byte_in_order() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    let site = streaming(&place, &server, "file 0\n");
    site.signal(Signal::STOP);
    let mut all = "file 0\n".to_owned();
    for file in 1..=3 {
        let (last, first) = (format!("the last line of file {}\n", file - 1), format!("file {file}\n"));
        append(&log, &last);
        for older in (1..file).rev() {
            fs::rename(place.path(&format!("log.txt.{older}")), place.path(&format!("log.txt.{}", older + 1))).unwrap();
        }
        fs::rename(&log, place.path("log.txt.1")).unwrap();
        append(&log, &first);
        all += &(last + &first);
    }
    site.signal(Signal::CONT);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), &all);
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
}

/// A log that is copied and then cut, as logrotate's copytruncate does, is finished from the copy.
#[test]
fn the_rest_of_a_log_that_was_copied_and_cut_is_sent_from_the_copy() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    let site = streaming(&place, &server, "sent before the cut\n");
    site.signal(Signal::STOP);
    append(&log, "written before the cut\n");
    fs::copy(&log, place.path("log.txt.1")).unwrap();
    fs::write(&log, "").unwrap();
    append(&log, "after the cut\n");
    site.signal(Signal::CONT);
    let all = "sent before the cut\nwritten before the cut\nafter the cut\n";
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), all);
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
}

/// What a cut took before it was read is a gap, on both sides and in the exit code; what is written after it arrives.
#[test]
fn bytes_lost_by_a_cut_are_reported_at_both_sides() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    let site = streaming(&place, &server, "sent before the cut\n");
    site.signal(Signal::STOP);
    append(&log, "lost with the cut\n");
    fs::write(&log, "").unwrap();
    append(&log, "after the cut\n");
    site.signal(Signal::CONT);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "sent before the cut\nafter the cut\n");
    let exit = site.stop().with_code(4);
    let line = exit.line("log.txt incomplete, 34 bytes at the server");
    let words = "bytes lost at byte 20 (truncated): ";
    assert!(line.contains(words), "{line}");
    let ended = server.ended("job-1/site-1/log.txt", "incomplete");
    assert!(ended.contains(words), "{ended}");
    // Which file it was, for the one who looks into it.
    assert!(ended.contains(log.to_str().unwrap()), "{ended}");
}
