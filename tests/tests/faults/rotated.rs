//! Logs that are rotated while they are streamed, by Python's own handlers and in each other way that has a name, and while
//! the site is away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fedtail_tests::{Exit, Job, Place, Process, Server, append, eventually_holds, line, lines, oracle, seeded, stream};

/// What a site's log is called at the server.
const NAME: &str = "job-1/site-1/log.txt";

fn site(place: &Place, server: &Server) -> Process {
    stream(&server.target(place, "site-1"), "job-1", &[], &place.path("log.txt"))
}

fn stored(place: &Place) -> PathBuf {
    place.stored("job-1", "site-1", "log.txt")
}

/// Ends a site that has sent all, and compares every byte.
fn identical(moment: &str, place: &Place, site: Process, written: &[u8]) -> Exit {
    site.says("streaming to ");
    let exit = site.stop();
    let found = oracle::read(&stored(place));
    assert!(found == written, "{moment}: {}; {exit:#?}", oracle::difference(&found, written));
    exit.with_code(0)
}

/// A job that writes lines as [`lines`] has them with a handler of Python's standard library, a thousand or so a second
/// more than `pause` lets it, and says "written" at its end.
fn python(place: &Place, handler: &str, first: usize, count: usize, pause: f64) -> Process {
    let script = format!(
        "import logging, logging.handlers, sys, time\n\
         handler = logging.handlers.{handler}\n\
         logger = logging.getLogger()\n\
         logger.addHandler(handler)\n\
         for number in range({first}, {first} + {count}):\n\
         \x20   logger.warning(f'2026-11-24 03:31:44 - INFO - round {{number:010}} of a training that goes on and on')\n\
         \x20   if {pause}: time.sleep({pause})\n\
         print('written')\n"
    );
    let mut command = Command::new("python3");
    Process::start("the job", command.args(["-c", &script]).arg(place.path("log.txt")))
}

/// Python's RotatingFileHandler, as fast as Python writes: many rotations within one look, each renames all files, and the
/// log is identical.
#[test]
fn pythons_rotating_file_handler_at_full_speed_is_identical() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let site = site(&place, &server);
    let handler = "RotatingFileHandler(sys.argv[1], maxBytes=100_000, backupCount=200)";
    let written = lines(30_000);
    python(&place, handler, 0, 30_000, 0.0).ends().with_code(0);
    assert!(place.path("log.txt.20").exists(), "it was to rotate: {:?}", fedtail_tests::listing(&place.path("")));
    identical("after the last line", &place, site, &written);
    server.ended(NAME, "complete");
}

/// The same with few files kept: what rotation deletes is read all the same, since files are held open from when they
/// are first seen.
#[test]
fn files_that_rotation_deletes_while_they_are_held_are_read_to_their_end() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let site = site(&place, &server);
    let handler = "RotatingFileHandler(sys.argv[1], maxBytes=20_000, backupCount=3)";
    let written = lines(4_000);
    python(&place, handler, 0, 4_000, 0.0002).ends().with_code(0);
    assert!(place.path("log.txt.3").exists() && !place.path("log.txt.4").exists());
    identical("after the last line", &place, site, &written);
    server.ended(NAME, "complete");
}

/// A site that is killed, and started again after one rotation and then after many: identical, since the files are there.
#[test]
fn a_site_that_was_away_for_rotations_reads_the_rotated_files() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let handler = "RotatingFileHandler(sys.argv[1], maxBytes=20_000, backupCount=200)";
    let mut count = 0;
    let mut write = |more: usize| {
        python(&place, handler, count, more, 0.0).ends().with_code(0);
        count += more;
        lines(count)
    };
    let mut written = write(100);
    // A rotation has some 240 lines.
    for away in [0, 150, 300, 5_000] {
        let site = site(&place, &server);
        eventually_holds(&stored(&place), &written);
        // More that is there when it goes, or not.
        let found_by_the_site = write(37);
        let now = oracle::read(&stored(&place));
        oracle::is_beginning(&format!("before {away} lines"), &now, &found_by_the_site);
        site.kill();
        written = if away > 0 { write(away) } else { found_by_the_site };
    }
    let site = site(&place, &server);
    eventually_holds(&stored(&place), &written);
    identical("after the last start", &place, site, &written);
}

/// The same where rotation has deleted files meanwhile: a gap that both sides tell, what is there arrives, in order.
#[test]
fn a_site_that_was_away_while_rotation_deleted_files_tells_a_gap() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let handler = "RotatingFileHandler(sys.argv[1], maxBytes=20_000, backupCount=2)";
    python(&place, handler, 0, 100, 0.0).ends().with_code(0);
    let first = site(&place, &server);
    eventually_holds(&stored(&place), lines(100));
    first.kill();
    python(&place, handler, 100, 5_000, 0.0).ends().with_code(0);
    let mut expected = lines(100);
    for name in ["log.txt.2", "log.txt.1", "log.txt"] {
        expected.extend(fs::read(place.path(name)).unwrap());
    }
    let again = site(&place, &server);
    eventually_holds(&stored(&place), &expected);
    let exit = again.stop().with_code(4);
    let told = exit.line("log.txt incomplete, ");
    let words = format!("an unknown number of bytes lost at byte {} (deleted): ", lines(100).len());
    assert!(told.contains(&words), "{told}");
    assert!(server.process.says("ended job-1/site-1/log.txt incomplete, ").contains(&words));
}

/// Python's TimedRotatingFileHandler, which gives rotated files the time as their names' endings.
#[test]
fn pythons_timed_rotating_file_handler_is_identical() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let site = site(&place, &server);
    let handler = "TimedRotatingFileHandler(sys.argv[1], when='S', interval=1)";
    let written = lines(5_000);
    python(&place, handler, 0, 5_000, 0.0005).ends().with_code(0);
    let dated = fedtail_tests::listing(&place.path("")).iter().filter(|path| is_dated(path)).count();
    assert!(dated > 1, "it was to rotate: {:?}", fedtail_tests::listing(&place.path("")));
    identical("after the last line", &place, site, &written);
    server.ended(NAME, "complete");
}

fn is_dated(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("log.txt.2"))
}

/// A way to rotate a log: given the log and how often that was done before.
type Rotate = fn(&Path, usize);

/// A job that rotates its log itself, quickly, with the site killed and started again in between. `killed` is how often.
fn rotated(lines_a_file: usize, killed: usize, rotate: Rotate) {
    let (mut chance, seed) = seeded();
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let mut times = 0;
    let job = Job::rotating(place.path("log.txt"), 5_000, lines_a_file, move |log| {
        times += 1;
        rotate(log, times);
    });
    let mut process = site(&place, &server);
    for time in 0..=killed {
        let moment = format!("{seed}, kill {time} of {killed}");
        let before = oracle::read(&stored(&place)).len() as u64;
        oracle::grows(&moment, &stored(&place), before + chance.u64(1..100_000));
        if time < killed {
            process.kill();
            oracle::is_beginning(&moment, &oracle::read(&stored(&place)), &job.written());
            // Some rotations without anybody who watches.
            job.writes(chance.usize(1..4 * lines_a_file));
            process = site(&place, &server);
        }
    }
    job.writes(3 * lines_a_file);
    let written = job.ends();
    identical(&seed, &place, process, &written);
}

fn numbered(log: &Path, number: usize) -> PathBuf {
    log.with_file_name(format!("log.txt.{number}"))
}

/// Each rotation takes the next number.
#[test]
fn files_numbered_upwards_are_identical_also_after_kills() {
    rotated(400, 4, |log, time| fs::rename(log, numbered(log, time)).unwrap());
}

/// Each rotation renames all: `.1` becomes `.2`.
#[test]
fn files_numbered_by_shifting_are_identical_also_after_kills() {
    rotated(400, 4, |log, time| {
        for number in (1..time).rev() {
            fs::rename(numbered(log, number), numbered(log, number + 1)).unwrap();
        }
        fs::rename(log, numbered(log, 1)).unwrap();
    });
}

/// Each rotation has a date for its name, here one a day.
#[test]
fn dated_files_are_identical_also_after_kills() {
    rotated(400, 4, |log, time| {
        let (month, day) = (1 + time / 28, 1 + time % 28);
        fs::rename(log, log.with_file_name(format!("log.txt-2026{month:02}{day:02}"))).unwrap();
    });
}

/// Rotated files that are compressed right afterwards, which can't be read on from an offset: they are held open before
/// that, and read to their end.
#[test]
fn files_that_are_compressed_after_their_rotation_are_identical() {
    rotated(2_000, 0, |log, time| {
        let rotated = numbered(log, time);
        fs::rename(log, &rotated).unwrap();
        assert!(Command::new("gzip").arg(&rotated).status().unwrap().success());
        assert!(!rotated.exists());
    });
}

/// A log that is cut and has grown past the old offset again between two looks is noticed: a gap for what may have been
/// lost, and the new text from its first byte.
#[test]
fn a_log_cut_and_grown_again_past_the_offset_is_noticed() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, lines(100));
    let site = site(&place, &server);
    eventually_holds(&stored(&place), lines(100));
    site.signal(fedtail_tests::Signal::STOP);
    fs::write(&log, "").unwrap();
    let anew: Vec<u8> = (500..900).flat_map(|number| line(number).into_bytes()).collect();
    append(&log, &anew);
    site.signal(fedtail_tests::Signal::CONT);
    eventually_holds(&stored(&place), [lines(100), anew].concat());
    let exit = site.stop().with_code(4);
    let told = exit.line("log.txt incomplete");
    assert!(told.contains("(truncated): ") && told.contains("can't be told whether"), "{told}");
}

/// A log that is deleted, and an unrelated file of the same name, with the old one's inode where the file system gives it
/// at once: it is another file, read from its first byte.
#[test]
fn an_unrelated_file_of_the_same_name_is_read_from_its_first_byte() {
    use std::os::unix::fs::MetadataExt;
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, lines(100));
    let first = site(&place, &server);
    eventually_holds(&stored(&place), lines(100));
    // Killed, so that nobody holds the old file, and its inode is free.
    first.kill();
    let inode = fs::metadata(&log).unwrap().ino();
    fs::remove_file(&log).unwrap();
    let anew: Vec<u8> = (500..900).flat_map(|number| line(number).into_bytes()).collect();
    append(&log, &anew);
    println!("the inode is used again: {}", fs::metadata(&log).unwrap().ino() == inode);
    let again = site(&place, &server);
    eventually_holds(&stored(&place), [lines(100), anew].concat());
    let exit = again.stop().with_code(4);
    let told = exit.line("log.txt incomplete");
    assert!(told.contains("(deleted): ") && told.contains("is not there any more"), "{told}");
}
