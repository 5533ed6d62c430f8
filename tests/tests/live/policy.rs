//! Components that are no policies: each is refused before anything starts, with the file, what is wrong, and what to do.

use fedtail_tests::{Place, Process, Server, append, contents, fedtail, stream};

/// Texts of components, each with what the message has to say.
const WRONG: &[(&str, &str, &[&str])] = &[
    ("a core module", "(module)", &["is not a WebAssembly component: it is a core module", "wasm-tools component new"]),
    (
        "no export",
        "(component)",
        &["does not fit the contract fedtail:policy@0.1.0: it lacks the export fedtail:policy/"],
    ),
    (
        "another import",
        "(component (import \"wasi:http/types@0.2.0\" (instance)))",
        &["it imports \"wasi:http/types@0.2.0\"", "nothing but fedtail:policy", "wasm32-unknown-unknown"],
    ),
    (
        "another system interface",
        "(component (import \"wasi:cli/environment@0.3.0\" (instance)))",
        &["it imports \"wasi:cli/environment@0.3.0\"", "random and sockets of 0.2, with nothing behind them"],
    ),
    (
        "a system interface and no export",
        "(component (import \"wasi:cli/environment@0.2.0\" (instance)))",
        &["does not fit the contract fedtail:policy@0.1.0: it lacks the export fedtail:policy/"],
    ),
    (
        "a later contract",
        "(component (import \"fedtail:policy/clock@0.1.5\" (instance)))",
        &["it is built for version 0.1.5 of the contract, and this host serves 0.1.0", "build it against wit/0.1.0"],
    ),
];

/// Both programs refuse such a file with one line, and the server leaves its store as it is.
#[test]
fn a_file_that_is_no_policy_is_refused_by_both_programs() {
    let place = Place::new();
    let log = place.path("log.txt");
    append(&log, "a line\n");
    let server = Server::without_tls(&place, &[]);
    let target = server.target(&place, "site-1");
    stream(&target, "job-1", &["--once"], &log).ends().with_code(0);
    server.stop().with_code(0);
    let before = contents(&place.store());
    assert!(!before.is_empty());

    let file = place.path("policy.wasm");
    let mut files: Vec<(&str, Vec<u8>, &[&str])> = WRONG
        .iter()
        .map(|(what, text, says)| (*what, wat::parse_str(text).expect("good text of a component"), *says))
        .collect();
    files.push((
        "text",
        b"#!/bin/sh\n".to_vec(),
        &["is not a WebAssembly component: it does not begin as WebAssembly does"],
    ));
    files.push(("damaged", b"\0asm\x0d\0\x01\0\xff\xff".to_vec(), &["is not a WebAssembly component: "]));
    files.push(("empty", Vec::new(), &["is not a WebAssembly component: "]));
    let path = file.display().to_string();
    for (what, bytes, says) in files {
        std::fs::write(&file, bytes).unwrap();
        let at_site = stream(&target, "job-1", &["--policy", &path], &log).ends().with_error(1);
        let mut command = fedtail(["server", "--listen", "127.0.0.1:0", "--policy", &path, "--store"]);
        let at_server = Process::start("the server", command.arg(place.store())).ends().with_error(1);
        for words in [at_site, at_server] {
            assert!(words.starts_with(&format!("the policy {path} ")), "{what}: {words}");
            assert!(says.iter().all(|part| words.contains(part)), "{what} was to say {says:?}: {words}");
        }
    }
    std::fs::remove_file(&file).unwrap();
    let words = stream(&target, "job-1", &["--policy", &path], &log).ends().with_error(1);
    assert!(words.starts_with(&format!("the policy {path} cannot be read: No such file")), "{words}");
    assert_eq!(contents(&place.store()), before, "the store is as it was");
}
