//! `--durability flush`, as the kernel is asked for it. What a disk that loses writes then still has, `host/src/store` and
//! the simulation show.

use std::path::Path;
use std::process::Command;

use fedtail_tests::{Place, Process, Server, append, eventually_holds, fedtail, stream};

/// Each batch's data is written and flushed, then its journal entry is written and flushed; names are flushed before the
/// first entry that counts on them. strace tells; without it this does nothing, and says so.
#[test]
fn data_is_flushed_before_its_entry_and_the_entry_before_more() {
    if !Path::new("/usr/bin/strace").exists() {
        println!("skipped: strace is not installed");
        return;
    }
    let place = Place::new();
    let trace = place.path("trace");
    let program = fedtail(["server", "--durability", "flush", "--listen", "127.0.0.1:0", "--store"]);
    let mut command = Command::new("/usr/bin/strace");
    // Detached: the process that is started is the server, which ends with the test.
    command.args([
        "-D",
        "-f",
        "-y",
        "-e",
        "trace=pwrite64,pwritev,pwritev2,fsync,fdatasync,rename,renameat,renameat2",
        "-o",
    ]);
    command.arg(&trace).arg(program.get_program()).args(program.get_args()).arg(place.store());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let server = Server::listening(Process::start("the server", &mut command));
    let log = place.path("log.txt");
    append(&log, "one\n");
    let site = stream(&server.target(&place, "site-1"), "job-1", &[], &log);
    let stored = place.stored("job-1", "site-1", "log.txt");
    eventually_holds(&stored, "one\n");
    append(&log, "two\n");
    eventually_holds(&stored, "one\ntwo\n");
    site.stop().with_code(0);
    server.ended("job-1/site-1/log.txt", "complete");

    let calls = calls(&std::fs::read_to_string(&trace).unwrap(), &place.store());
    let batches: Vec<usize> =
        calls.iter().enumerate().filter(|(_, call)| *call == "write data").map(|(at, _)| at).collect();
    assert!(!batches.is_empty(), "{calls:#?}");
    let first_entry = calls.iter().position(|call| call == "write journal").unwrap_or_else(|| panic!("{calls:#?}"));
    for directory in ["", "job-1", "job-1/site-1", ".fedtail/job-1/site-1"] {
        let flushed = calls[..first_entry].contains(&format!("flush {directory}"));
        assert!(flushed, "{directory:?} was to be flushed before the first entry: {calls:#?}");
    }
    for at in batches {
        let rest: Vec<&str> = calls[at..]
            .iter()
            .map(String::as_str)
            .filter(|call| call.ends_with("a") || call.ends_with("journal"))
            .take(4)
            .collect();
        assert_eq!(rest, ["write data", "flush data", "write journal", "flush journal"], "{calls:#?}");
    }
}

/// What was written and flushed in the store, in order.
fn calls(trace: &str, store: &Path) -> Vec<String> {
    let store = store.to_str().unwrap();
    let mut found = Vec::new();
    for line in trace.lines() {
        // `12345 pwritev(7</store/job-1/site-1/log.txt>, ...`; of a call that another thread interrupts, the first half.
        let Some((_, call)) = line.split_once(' ') else { continue };
        let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
        let Some(path) = arguments.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map(|(path, _)| path)
        else {
            continue;
        };
        let Some(within) = path.strip_prefix(store) else { continue };
        let within = within.trim_start_matches('/');
        let what = match within {
            "job-1/site-1/log.txt" => "data",
            ".fedtail/job-1/site-1/log.txt" => "journal",
            other => other,
        };
        match name {
            "pwrite64" | "pwritev" | "pwritev2" => found.push(format!("write {what}")),
            "fsync" | "fdatasync" => found.push(format!("flush {what}")),
            _ => {}
        }
    }
    found
}
