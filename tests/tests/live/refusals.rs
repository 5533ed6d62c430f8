//! Input that can't be used: one line that says what, where and what to do, a code, and nothing stored is touched.

use std::net::TcpListener;
use std::path::Path;

use fedtail_tests::{Exit, Place, Process, Server, Target, append, contents, fedtail, stream, unused_address};

/// `fedtail server` on a store, to its end.
fn server(store: &Path, arguments: &[&str]) -> Exit {
    let mut command = fedtail(["server", "--store"]);
    Process::start("the server", command.arg(store).args(arguments)).ends()
}

/// A site that would be heard too rarely is refused for good, with both times.
#[test]
fn a_liveness_interval_not_shorter_than_the_idle_timeout_is_refused_with_both() {
    let place = Place::new();
    let server = Server::without_tls(&place, &["--idle-timeout", "5s"]);
    let log = place.path("log.txt");
    append(&log, "a line\n");
    for interval in ["5s", "7s"] {
        let target = server.target(&place, "site-1");
        let exit = stream(&target, "job-1", &["--liveness-interval", interval], &log).ends().with_code(3);
        let words = format!("liveness interval {interval} is not shorter than the idle timeout 5s");
        exit.line(&format!("log.txt refused, 0 bytes at the server: {words}"));
    }
    assert!(contents(&place.store()).is_empty());
    assert!(server.endings().is_empty());
}

/// What is wrong with a log's path is said at once.
#[test]
fn a_log_that_cannot_be_followed_is_said_at_once() {
    let place = Place::new();
    let target = Target::without_tls(unused_address(), "site-1");
    let words = |log: &Path| stream(&target, "job-1", &[], log).ends().with_error(1);

    let missing = place.path("no-such-directory");
    let said = words(&missing.join("log.txt"));
    assert_eq!(said, format!("there is no directory {}; create it, or check the log's path", missing.display()));

    let directory = place.path("directory");
    std::fs::create_dir(&directory).unwrap();
    assert_eq!(words(&directory), format!("{} is not a file: give the log itself", directory.display()));
}

/// A port that another program uses is named.
#[test]
fn a_port_in_use_is_said() {
    let place = Place::new();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap().to_string();
    let words = server(&place.store(), &["--listen", &address]).with_error(1);
    assert_eq!(
        words,
        format!("{address} cannot be listened on: another program uses this port; choose another one or end it")
    );
}

/// A store is one server's: the second one is refused and told which process has it, and the first goes on.
#[test]
fn a_store_in_use_by_another_server_is_refused() {
    let place = Place::new();
    let first = Server::without_tls(&place, &[]);
    let words = server(&place.store(), &["--listen", "127.0.0.1:0"]).with_error(1);
    let (store, pid) = (place.store().display().to_string(), first.process.pid().as_raw_nonzero());
    assert!(
        words.starts_with(&format!(
            "the store {store} is in use by another fedtail server (process {pid}): stop that one"
        )),
        "{words}"
    );
    let log = place.path("log.txt");
    append(&log, "a line\n");
    stream(&first.target(&place, "site-1"), "job-1", &["--once"], &log).ends().with_code(0);
}

/// A store that is a file, or in a place that is one, is refused and left alone.
#[test]
fn a_store_that_is_a_file_is_refused() {
    let place = Place::new();
    let file = place.path("file");
    append(&file, "somebody's");
    for store in [file.clone(), file.join("store")] {
        let words = server(&store, &["--listen", "127.0.0.1:0"]).with_error(1);
        assert!(words.contains(store.to_str().unwrap()), "{words}");
        assert!(words.contains("a file is in the way where a directory should be"), "{words}");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "somebody's");
}

/// Data that the store has no record of is nobody's to overwrite: the stream is refused for good, in words.
#[test]
fn data_that_the_store_did_not_write_is_not_touched() {
    let place = Place::new();
    let stored = place.stored("job-1", "site-1", "log.txt");
    std::fs::create_dir_all(stored.parent().unwrap()).unwrap();
    append(&stored, "an old log, copied here by hand\n");
    let server = Server::without_tls(&place, &[]);
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let exit = stream(&server.target(&place, "site-1"), "job-1", &[], &log).ends().with_code(3);
    let line = exit.line("has no journal");
    assert!(line.contains("move it away, and the site sends the log again"), "{line}");
    assert_eq!(std::fs::read_to_string(&stored).unwrap(), "an old log, copied here by hand\n");
}

/// Without TLS only this machine is served: any other address is refused before anything is made.
#[test]
fn an_open_address_without_tls_is_refused() {
    let place = Place::new();
    let words = server(&place.store(), &["--listen", "0.0.0.0:0"]).with_error(1);
    assert_eq!(
        words,
        "0.0.0.0:0 can be reached from other machines, and there is no TLS: give --tls-cert, --tls-key and --client-ca, or \
         listen on 127.0.0.1"
    );
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let target = Target::new("http://logs.example:7443", &["--site", "site-1"]);
    let words = stream(&target, "job-1", &[], &log).ends().with_error(2);
    assert!(words.contains("without TLS only this machine's loopback is used; use https://"), "{words}");
}

/// A key that a configuration should not have is named, with its line; what is missing is named, too.
#[test]
fn an_unknown_key_in_a_configuration_is_named() {
    let place = Place::new();
    let file = place.path("fedtail.toml");
    let path = file.to_str().unwrap();
    append(&file, "listen = \"127.0.0.1:0\"\nidle-timeot = \"5s\"\n");
    let words = server(&place.store(), &["--config", path]).with_error(2);
    assert!(words.starts_with(&format!("the configuration {path}, line 2: unknown field `idle-timeot`")), "{words}");

    let words = server(&place.store(), &[]).with_error(2);
    assert!(words.starts_with("--listen is missing (or `listen` in the file given with --config)"), "{words}");

    std::fs::remove_file(&file).unwrap();
    let words = server(&place.store(), &["--config", path]).with_error(2);
    assert!(words.starts_with(&format!("the configuration {path} cannot be read: No such file")), "{words}");
    assert!(!place.store().exists());
}

/// A configuration does what the flags do, for both programs; flags win.
#[test]
fn a_configuration_stands_in_for_flags() {
    let place = Place::new();
    let file = place.path("server.toml");
    append(&file, format!("listen = \"127.0.0.1:0\"\nstore = {:?}\nidle-timeout = \"2s\"\n", place.store()));
    let mut command = fedtail(["server", "--idle-timeout", "9s", "--config"]);
    let server = Server::listening(Process::start("the server", command.arg(&file)));
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let site = place.path("site.toml");
    append(&site, format!("server = \"http://{}\"\nsite = \"site-1\"\nliveness-interval = \"5s\"\n", server.address));
    let target = Target::new("", &["--config", site.to_str().unwrap()]);
    let flags = &target.flags()[2..];
    let mut command = fedtail(["stream", "--job", "job-1", "--once"]);
    Process::start("the site", command.args(flags).arg(&log)).ends().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete, 7 bytes");
}

/// Two files of one name would be one log at the server: refused, instead of taking turns.
#[test]
fn two_files_of_one_name_are_refused() {
    let place = Place::new();
    let server = Server::without_tls(&place, &[]);
    let logs = ["a", "b"].map(|directory| {
        std::fs::create_dir(place.path(directory)).unwrap();
        let log = place.path(directory).join("log.txt");
        append(&log, "a line\n");
        log
    });
    let first = logs[0].to_str().unwrap();
    let words = stream(&server.target(&place, "site-1"), "job-1", &[first], &logs[1]).ends().with_error(2);
    assert!(words.contains("\"log.txt\""), "{words}");
    assert!(words.contains(first) && words.contains(logs[1].to_str().unwrap()), "{words}");
    assert!(contents(&place.store()).is_empty());
}
