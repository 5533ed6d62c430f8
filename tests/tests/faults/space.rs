//! A store without room, that may not be written to, or whose server has no descriptor left.

use fedtail_tests::{
    Place, Process, Server, Tmpfs, append, eventually_holds, fedtail, limit_descriptors, lines, oracle, stream,
};

/// A file system that fills up in the middle of a log: the site waits and both say so, what was acknowledged stays, and
/// with room the rest follows. Twice.
#[test]
fn a_file_system_that_fills_up_and_has_room_again_is_identical() {
    let place = Place::new();
    let Some(disk) = Tmpfs::mount(&place.store(), "size=1m") else { return };
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    let stored = place.stored("job-1", "site-1", "log.txt");
    // 8 MB.
    let written = lines(100_000);
    append(&log, &written);
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    for (time, room) in ["size=4m", "size=64m"].into_iter().enumerate() {
        let warning = site.says_often("waiting, the server cannot store: ", time + 1).pop().unwrap();
        assert!(warning.contains("there is no room for ") && warning.contains("job-1/site-1/log.txt"), "{warning}");
        let warning = server.process.says_often("there is no room for ", time + 1).pop().unwrap();
        assert!(warning.contains("the site waits"), "{warning}");
        oracle::is_beginning(&format!("full for the {}. time", time + 1), &oracle::read(&stored), &written);
        disk.remount(room);
        site.says_often("the server can store again", time + 1);
    }
    site.stop().with_code(0);
    eventually_holds(&stored, &written);
    server.ended("job-1/site-1/log.txt", "complete");
    drop(server);
}

/// A server that is killed while its disk is full finds what it had acknowledged, and goes on once there is room.
#[test]
fn a_server_killed_on_a_full_disk_has_what_it_acknowledged() {
    let place = Place::new();
    let Some(disk) = Tmpfs::mount(&place.store(), "size=1m") else { return };
    let address = fedtail_tests::unused_address();
    let server = Server::at(address, &place, &[]);
    let log = place.path("log.txt");
    let stored = place.stored("job-1", "site-1", "log.txt");
    let written = lines(50_000);
    append(&log, &written);
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    site.says("waiting, the server cannot store: ");
    server.process.kill();
    oracle::is_beginning("killed while it was full", &oracle::read(&stored), &written);
    // Still full: it starts, and waits.
    let server = Server::at(address, &place, &[]);
    server.process.says("there is no room for ");
    disk.remount("size=64m");
    eventually_holds(&stored, &written);
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
    drop(server);
}

/// A store that may only be read is refused at the start, in words.
#[test]
fn a_store_that_may_only_be_read_is_refused_in_words() {
    let place = Place::new();
    let Some(_disk) = Tmpfs::mount(&place.store(), "ro") else { return };
    let mut command = fedtail(["server", "--listen", "127.0.0.1:0", "--store"]);
    let words = Process::start("the server", command.arg(place.store())).ends().with_error(1);
    assert!(words.contains(place.store().to_str().unwrap()), "{words}");
    assert!(words.contains("Read-only file system"), "{words}");
}

/// A server without a descriptor for another log tells the site, which waits; the other log is not disturbed, and with
/// descriptors the new one goes on from its first byte.
#[test]
fn a_server_without_descriptors_makes_a_new_log_wait() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let (old, new) = (place.path("old.log"), place.path("new.log"));
    append(&old, "one\n");
    let target = server.target(&place, "site-1");
    let first = stream(&target, "job-1", &[], &old);
    eventually_holds(&place.stored("job-1", "site-1", "old.log"), "one\n");
    // One for the connection, and none for the log's files.
    limit_descriptors(&server.process, Some(1));
    append(&new, "a line\n");
    let second = stream(&target, "job-1", &[], &new);
    let warning = second.says("Too many open files");
    assert!(warning.contains("new.log"), "{warning}");
    append(&old, "two\n");
    eventually_holds(&place.stored("job-1", "site-1", "old.log"), "one\ntwo\n");
    assert!(!second.is_over());
    limit_descriptors(&server.process, None);
    eventually_holds(&place.stored("job-1", "site-1", "new.log"), "a line\n");
    first.stop().with_code(0);
    second.stop().with_code(0);
}

/// A server that can't even take another connection takes it once it can: the site comes by itself.
#[test]
fn a_server_without_descriptors_takes_connections_later() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    limit_descriptors(&server.process, Some(0));
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    let warning = server.process.says("no connection can be taken");
    assert!(warning.contains("Too many open files"), "{warning}");
    assert!(!site.is_over() && !server.process.is_over());
    limit_descriptors(&server.process, None);
    eventually_holds(&place.stored("job-1", "site-1", "log.txt"), "a line\n");
    assert_eq!(server.process.said("no connection can be taken").len(), 1, "it is said once, however long it takes");
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
}

/// A site without a descriptor for a rotated file, which is gone when it has some again: a gap that is told, or nothing
/// lost; never a crash, and never a hole that nobody is told of.
#[test]
fn a_site_without_descriptors_goes_on() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, lines(100));
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, lines(100));
    limit_descriptors(&site, Some(0));
    std::fs::rename(&log, place.path("log.txt.1")).unwrap();
    append(&log, "after the rotation\n");
    site.says("Too many open files");
    limit_descriptors(&site, None);
    let all = [lines(100), b"after the rotation\n".to_vec()].concat();
    eventually_holds(&stored, &all);
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
}
