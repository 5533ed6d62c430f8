//! Names that are paths, or worse: refused with the name quoted, and nothing written in the store or beside it.

use fedtail::wire::server_frame;
use fedtail_tests::Process;
use fedtail_tests::{Place, Raw, Server, Target, append, contents, fedtail, listing, stream};

/// Names that no file can have, or that lead elsewhere, each with how a message quotes it.
const TRICKS: &[(&str, &str)] = &[
    ("", "\"\""),
    (".", "\".\""),
    ("..", "\"..\""),
    ("../evil", "\"../evil\""),
    ("/etc/passwd", "\"/etc/passwd\""),
    ("a/../../evil", "\"a/../../evil\""),
    ("..\\evil", "\"..\\\\evil\""),
    ("line\nfeed", "\"line\\nfeed\""),
    ("esc\u{1b}[2J", "\"esc\\u{1b}[2J\""),
];

/// Names of jobs, besides: the store's own directory begins with a dot.
const DOTS: &[(&str, &str)] = &[(".fedtail", "\".fedtail\""), ("...", "\"...\"")];

/// What a server has in its store and beside it before any site came.
fn everything(place: &Place) -> Vec<std::path::PathBuf> {
    listing(place.store().parent().expect("a store is in a directory"))
}

/// On the command line every such name is wrong usage, said in the words of the rule that it breaks.
#[test]
fn names_on_the_command_line_are_single_path_components() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let before = everything(&place);
    let long = "x".repeat(256);
    let quoted_long = format!("{long:?}");
    let tricks = || TRICKS.iter().copied().chain([(long.as_str(), quoted_long.as_str())]);
    let sites = tricks().map(|(name, quoted)| ("--site", "site", name, quoted));
    let jobs = tricks().chain(DOTS.iter().copied()).map(|(name, quoted)| ("--job", "job", name, quoted));
    for (flag, kind, name, quoted) in sites.chain(jobs) {
        let other = if flag == "--job" { "--site=site-1" } else { "--job=job-1" };
        let mut command = fedtail(["stream", "--server", "http://127.0.0.1:1", other, &format!("{flag}={name}")]);
        let exit = Process::start("the site", command.arg(&log)).ends().with_code(2);
        let words = exit.err.join("\n");
        assert!(words.contains(&format!("the {kind} name {quoted} is refused: ")), "{words}");
    }
    assert_eq!(everything(&place), before);
}

/// A log's name is its file's name, which can have a control character in it.
#[test]
fn a_file_name_with_a_control_character_is_refused() {
    let place = Place::new();
    let log = place.path("two\nlines.txt");
    append(&log, "a line\n");
    let server = Server::without_tls(&place, &[]);
    let exit = stream(&server.target(&place, "site-1"), "job-1", &[], &log).ends();
    let words = exit.with_error(2);
    assert_eq!(words, "the log name \"two\\nlines.txt\" is refused: it has a control character in it");
    assert!(contents(&place.store()).is_empty());
}

/// A site that speaks the wire format by itself, and says such names, is refused for good by the server.
#[test]
fn names_on_the_wire_are_single_path_components() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let before = everything(&place);
    let long = "x".repeat(256);
    let quoted_long = format!("{long:?}");
    let tricks: Vec<_> = TRICKS.iter().copied().chain([(long.as_str(), quoted_long.as_str())]).collect();
    let mut raw = Raw::greeted(server.address, "site-1");
    let jobs = tricks.iter().chain(DOTS).map(|(name, quoted)| ("job", *name, "log.txt", *quoted));
    let logs = tricks.iter().map(|(name, quoted)| ("log", "job-1", *name, *quoted));
    for (kind, job, log, quoted) in jobs.chain(logs) {
        let answer = raw.open(job, log);
        let Some(server_frame::Frame::OpenRefused(answer)) = answer else { panic!("{quoted}: {answer:?}") };
        let refused = answer.refused.expect("why");
        assert!(refused.reason.starts_with(&format!("the {kind} name {quoted} is refused: ")), "{refused:?}");
        assert_eq!(refused.retry_after_ns, None, "for good");
    }
    for (name, quoted) in tricks.iter().filter(|(name, _)| !name.is_empty()) {
        let answer = Raw::connect(server.address).hello(fedtail::wire::VERSION, name);
        let Some(server_frame::Frame::Refused(refused)) = answer else { panic!("{quoted}: {answer:?}") };
        assert!(refused.reason.starts_with(&format!("the site name {quoted} is refused: ")), "{refused:?}");
    }
    assert_eq!(everything(&place), before, "nothing is written");
    assert!(server.endings().is_empty(), "what was not opened does not end: {:#?}", server.endings());
}

/// A site that does not say its name is told how to.
#[test]
fn a_missing_name_is_asked_for() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let target = Target::new::<&str>(&format!("http://{}", server.address), &[]);
    let words = stream(&target, "job-1", &[], &log).ends().with_error(2);
    assert!(words.starts_with("--site is missing"), "{words}");
    let answer = Raw::connect(server.address).hello(fedtail::wire::VERSION, "");
    let Some(server_frame::Frame::Refused(refused)) = answer else { panic!("{answer:?}") };
    assert_eq!(refused.reason, "the site did not say its name; without TLS it is given with --site");
}
