//! Stores that are not what they were, and job ids that are used twice.

use std::fs;
use std::path::{Path, PathBuf};

use fedtail_tests::{Place, Server, Target, append, eventually_holds, line, lines, oracle, stream, unused_address};

const NAME: &str = "job-1/site-1/log.txt";

fn stored(place: &Place) -> PathBuf {
    place.stored("job-1", "site-1", "log.txt")
}

fn copy(from: &Path, to: &Path) {
    for path in fedtail_tests::listing(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        if path.is_dir() {
            fs::create_dir_all(&target).unwrap();
        } else {
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// A store that is deleted under a stream gets all that still exists, here all of it, from the first byte.
#[test]
fn a_store_that_was_wiped_gets_what_still_exists() {
    let place = Place::new();
    let address = unused_address();
    let server = Server::at(address, &place, &[]);
    let log = place.path("log.txt");
    append(&log, lines(500));
    let site = stream(&Target::without_tls(address, "site-1"), "job-1", &[], &log);
    eventually_holds(&stored(&place), lines(500));
    fs::rename(&log, place.path("log.txt.1")).unwrap();
    append(&log, "after the rotation\n");
    let all = [lines(500), b"after the rotation\n".to_vec()].concat();
    eventually_holds(&stored(&place), &all);
    server.process.kill();
    fs::remove_dir_all(place.store()).unwrap();
    let server = Server::at(address, &place, &[]);
    eventually_holds(&stored(&place), &all);
    site.stop().with_code(0);
    eventually_holds(&stored(&place), &all);
    server.ended(NAME, "complete");
}

/// A store that is put back from an older copy goes on from there: identical.
#[test]
fn a_store_that_was_restored_from_an_older_copy_goes_on_from_it() {
    let place = Place::new();
    let address = unused_address();
    let server = Server::at(address, &place, &[]);
    let log = place.path("log.txt");
    append(&log, lines(500));
    let site = stream(&Target::without_tls(address, "site-1"), "job-1", &[], &log);
    eventually_holds(&stored(&place), lines(500));
    server.process.kill();
    let backup = place.path("backup");
    copy(&place.store(), &backup);
    let server = Server::at(address, &place, &[]);
    append(&log, line(500));
    fs::rename(&log, place.path("log.txt.1")).unwrap();
    append(&log, line(501));
    eventually_holds(&stored(&place), lines(502));
    server.process.kill();
    fs::remove_dir_all(place.store()).unwrap();
    copy(&backup, &place.store());
    let server = Server::at(address, &place, &[]);
    eventually_holds(&stored(&place), lines(502));
    site.stop().with_code(0);
    assert!(oracle::read(&stored(&place)) == lines(502));
    server.ended(NAME, "complete");
}

/// What a restored store lacks and the site has no more is a gap, and what comes after it arrives.
#[test]
fn what_a_restored_store_lacks_and_rotation_deleted_is_a_gap() {
    let place = Place::new();
    let address = unused_address();
    let server = Server::at(address, &place, &[]);
    let log = place.path("log.txt");
    append(&log, lines(500));
    let site = stream(&Target::without_tls(address, "site-1"), "job-1", &[], &log);
    eventually_holds(&stored(&place), lines(500));
    fs::remove_file(&log).unwrap();
    append(&log, "another file\n");
    let all = [lines(500), b"another file\n".to_vec()].concat();
    eventually_holds(&stored(&place), &all);
    server.process.kill();
    fs::remove_dir_all(place.store()).unwrap();
    let server = Server::at(address, &place, &[]);
    eventually_holds(&stored(&place), "another file\n");
    // A host that has just let the file go can't know whether the new server has it; it is asked, and has not.
    let exit = site.stop();
    let ending = server.process.says("ended job-1/site-1/log.txt ");
    assert!(exit.code == 4 && ending.contains("incomplete"), "{ending}; {exit:#?}");
}

/// A log that ended and is streamed again, live, within the grace: late lines are filed with the job, and a second ending
/// is told.
#[test]
fn a_log_that_ended_takes_late_lines() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, "in time\n");
    let target = server.target(&place, "site-1");
    let site = stream(&target, "job-1", &[], &log);
    eventually_holds(&stored(&place), "in time\n");
    site.stop().with_code(0);
    server.ended(NAME, "complete, 8 bytes");
    append(&log, "late\n");
    let site = stream(&target, "job-1", &[], &log);
    eventually_holds(&stored(&place), "in time\nlate\n");
    append(&log, "later\n");
    eventually_holds(&stored(&place), "in time\nlate\nlater\n");
    site.stop().with_code(0);
    server.process.says("ended job-1/site-1/log.txt complete, 19 bytes");
    assert_eq!(server.endings().len(), 2);
}

/// A job id that is used for another run: refused for good in words, and what the first run left stays as it is;
/// the server says why the log does not grow.
#[test]
fn a_job_id_used_twice_is_refused_and_the_first_run_stays() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, lines(100));
    let target = server.target(&place, "site-1");
    stream(&target, "job-1", &["--once"], &log).ends().with_code(0);
    fs::write(&log, "another run\n").unwrap();
    let exit = stream(&target, "job-1", &[], &log).ends().with_code(3);
    let words = exit.line("log.txt refused");
    assert!(words.contains("use a job id of its own for a new run"), "{words}");
    assert!(oracle::read(&stored(&place)) == lines(100));
    assert_eq!(server.endings().len(), 1);
    let words = server.process.says("job-1/site-1/log.txt: the site sends nothing more");
    assert!(words.contains("use a job id of its own for a new run"), "{words}");
}

/// A log's directory that is deleted and made again, as a job that is restarted does it: both lives of the log arrive.
#[test]
fn a_directory_that_is_deleted_and_made_again_is_read_on() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("run/log.txt");
    fs::create_dir(log.parent().unwrap()).unwrap();
    append(&log, lines(100));
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    eventually_holds(&stored(&place), lines(100));
    append(&log, line(100));
    fs::remove_dir_all(log.parent().unwrap()).unwrap();
    fs::create_dir(log.parent().unwrap()).unwrap();
    append(&log, line(101));
    eventually_holds(&stored(&place), lines(102));
    site.stop().with_code(0);
    server.ended(NAME, "complete");
}
