//! Debian's logrotate, at work on a log that is written at 20,000 lines a second.
//!
//! `cargo xtask test` installs it where it can, and says so where it can't; these tests then do nothing, and say so.

use std::path::{Path, PathBuf};
use std::process::Command;

use fedtail_tests::{Job, Place, Process, Server, append, line, oracle, seeded, stream};

const LINES_PER_SECOND: usize = 20_000;

/// How often the log is rotated.
const ROTATIONS: usize = 6;

/// logrotate with a configuration of one log; none where it is not installed.
struct Logrotate {
    program: PathBuf,
    place: PathBuf,
}

impl Logrotate {
    fn find(place: &Place, directives: &str) -> Option<Self> {
        // Debian has it where users don't look for programs.
        let known = ["/usr/sbin/logrotate", "/usr/bin/logrotate", "/sbin/logrotate"];
        let Some(program) = known.iter().map(Path::new).find(|program| program.exists()) else {
            println!("skipped: logrotate is not installed, see `cargo xtask test`");
            return None;
        };
        let configuration = format!("{} {{\n{directives}\n}}\n", place.path("log.txt").display());
        append(&place.path("logrotate.conf"), configuration);
        Some(Self { program: program.into(), place: place.path("") })
    }

    /// Rotates now.
    fn rotate(&self) {
        let mut command = Command::new(&self.program);
        // It takes no directory that others can write to; a test's own is made for its user alone.
        command.arg("--force").arg("--state").arg(self.place.join("logrotate.state"));
        Process::start("logrotate", command.arg(self.place.join("logrotate.conf"))).ends().with_code(0);
    }
}

/// The usual configuration: the log is renamed, a new one is made, and the job is told of it afterwards. Identical.
#[test]
fn renamed_by_logrotate_is_identical() {
    let place = Place::new();
    let directives = "rotate 50\nnodateext\ncreate 0600\nnocompress\nmissingok";
    let Some(logrotate) = Logrotate::find(&place, directives) else { return };
    renamed(&place, &logrotate);
}

/// With dates for names and the older ones compressed, as many distributions have it. Identical.
#[test]
fn dated_and_compressed_by_logrotate_is_identical() {
    let place = Place::new();
    let directives = "rotate 50\ndateext\ndateformat -%Y%m%d-%s\ncreate 0600\ncompress\ndelaycompress\nmissingok";
    let Some(logrotate) = Logrotate::find(&place, directives) else { return };
    renamed(&place, &logrotate);
}

fn renamed(place: &Place, logrotate: &Logrotate) {
    let server = Server::without_tls(place, &[]);
    let job = Job::start(place.path("log.txt"), LINES_PER_SECOND);
    let site = stream(&server.target(place, "site-1"), "job-1", &[], &job.log);
    for _ in 0..ROTATIONS {
        job.writes(LINES_PER_SECOND / 4);
        logrotate.rotate();
        // It goes on in the old file until it is told, as a job does.
        job.writes(LINES_PER_SECOND / 50);
        job.reopens();
        // Names have seconds in them.
        job.writes(LINES_PER_SECOND);
    }
    let written = job.ends();
    let exit = site.stop();
    let stored = oracle::read(&place.stored("job-1", "site-1", "log.txt"));
    assert!(stored == written, "{}; {exit:#?}", oracle::difference(&stored, &written));
    exit.with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");
}

/// Copy-and-truncate, which itself loses what is written between its copy's end and its cut: all that it kept, in the copies
/// or in the log, arrives, in order and once; what does not arrive is nowhere, and is told if the site had seen it.
#[test]
fn copied_and_cut_by_logrotate_arrives_as_far_as_it_is_kept() {
    copied_and_cut(|_, _| false);
}

/// The same with the site killed shortly before some of the rotations, and started again after them.
#[test]
fn copied_and_cut_by_logrotate_while_the_site_is_away_arrives_as_far_as_it_is_kept() {
    let (mut chance, _) = seeded();
    copied_and_cut(move |job, rotation| {
        job.writes(chance.usize(1..2000));
        rotation % 2 == 1
    });
}

/// `away` tells before each rotation whether the site is killed now.
fn copied_and_cut(mut away: impl FnMut(&Job, usize) -> bool) {
    let place = Place::new();
    let directives = "rotate 50\nnodateext\ncopytruncate\nnocompress\nmissingok";
    let Some(logrotate) = Logrotate::find(&place, directives) else { return };
    let server = Server::without_tls(&place, &[]);
    let job = Job::start(place.path("log.txt"), LINES_PER_SECOND);
    let start = || stream(&server.target(&place, "site-1"), "job-1", &[], &place.path("log.txt"));
    let mut site = start();
    for rotation in 0..ROTATIONS {
        job.writes(LINES_PER_SECOND / 2);
        if away(&job, rotation) {
            site.kill();
            logrotate.rotate();
            site = start();
        } else {
            logrotate.rotate();
        }
    }
    job.writes(LINES_PER_SECOND / 2);
    let written = job.ends();
    let exit = site.stop();
    let stored = oracle::read(&place.stored("job-1", "site-1", "log.txt"));

    let numbers = |text: &[u8]| -> Vec<usize> {
        // A copy, and what the site read before a cut, can end in the middle of a line, as the writer's system call did.
        let whole = text.split_inclusive(|&byte| byte == b'\n').filter(|line| line.len() == crate::LINE);
        whole.filter_map(number).collect()
    };
    let arrived = numbers(&stored);
    assert!(arrived.is_sorted_by(|a, b| a < b), "twice, or out of order: {:?}; {exit:#?}", unsorted(&arrived));
    let mut kept = Vec::new();
    for rotation in (1..=ROTATIONS).rev() {
        kept.extend(numbers(&std::fs::read(place.path(&format!("log.txt.{rotation}"))).unwrap()));
    }
    kept.extend(numbers(&std::fs::read(place.path("log.txt")).unwrap()));
    let missing: Vec<_> = kept.iter().filter(|number| arrived.binary_search(number).is_err()).collect();
    assert!(missing.is_empty(), "kept, and not arrived: {missing:?}; {exit:#?}");
    let torn = stored.len() - arrived.len() * crate::LINE;
    assert!(torn <= ROTATIONS * crate::LINE, "{torn} bytes that are no whole line");
    println!(
        "{} bytes written, {} kept by logrotate, {} arrived; {}",
        written.len(),
        kept.len() * crate::LINE,
        stored.len(),
        exit.line("log.txt ")
    );
    // Incomplete where the site had seen bytes that then were nowhere: logrotate's loss, told.
    assert!(exit.code == 0 || exit.code == 4, "{exit:#?}");
    assert!(exit.code == 4 || exit.line("log.txt complete").contains(&format!(" {} bytes", stored.len())), "{exit:#?}");
}

/// The number of a line of a [`Job`].
fn number(text: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(text).ok()?;
    let number = text.split(' ').nth(6)?.parse().ok()?;
    (line(number) == text).then_some(number)
}

fn unsorted(numbers: &[usize]) -> Option<&[usize]> {
    numbers.windows(2).find(|pair| pair[0] >= pair[1])
}
