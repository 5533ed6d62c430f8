//! What a policy's author types: `fedtail policy new`, the project's tests, `build`, `inspect`; then the component runs in
//! a real stream.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use fedtail::site::Ending;
use fedtail_tests::fedtail;

use crate::stage::{PATIENCE, Stage, append, ended, owned};

/// A folder for an author's projects. Always the same one: what was compiled of a project before serves again, as the path
/// of a project is part of how it is compiled.
pub fn desk() -> PathBuf {
    let desk = Path::new(env!("CARGO_TARGET_TMPDIR")).join("author");
    fs::create_dir_all(&desk).unwrap();
    desk
}

/// Runs the program in a folder.
pub fn policy(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = fedtail(["policy"]);
    command.args(arguments).current_dir(folder).output().unwrap()
}

/// Standard output and standard error of what went well.
pub fn well(output: Output) -> (String, String) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}:\n{out}\n{err}", output.status);
    (out, err)
}

/// The words of what failed with this code.
pub fn failed(output: Output, code: i32) -> String {
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{}\n{err}", text(&output.stdout));
    let (_, words) = err.split_once("fedtail: error: ").unwrap_or_else(|| panic!("an error was to be said: {err}"));
    words.to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Makes a project of this kind, runs its tests, builds it, tests it in the simulation as its README says, and returns its
/// component. `passes` is how many tests it has.
fn made(kind: &str, passes: usize) -> PathBuf {
    let desk = desk();
    let project = desk.join("hide-names");
    // What was compiled is kept beside the project, which is made anew.
    let _ = fs::remove_dir_all(&project);
    let (out, _) = well(policy(&desk, &["new", "hide-names", "--lang", "rust", "--kind", kind]));
    assert!(out.contains("cd hide-names\n  cargo test\n  fedtail policy build"), "{out}");
    std::os::unix::fs::symlink(desk.join("target"), project.join("target")).unwrap();
    fs::create_dir_all(desk.join("target")).unwrap();
    // The versions of this workspace, which are there: a test downloads nothing.
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.lock"), project.join("Cargo.lock")).unwrap();

    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap());
    let (out, _) = well(cargo.arg("test").current_dir(&project).output().unwrap());
    assert!(out.contains(&format!("test result: ok. {passes} passed")), "{out}");

    let (out, err) = well(policy(&desk, &["build", "hide-names"]));
    assert!(err.contains("building with "), "{err}");
    assert!(out.contains("fits      yes: this fedtail runs it as a "), "{out}");

    let manual = fs::read_to_string(project.join("README.md")).unwrap();
    let test = manual.lines().find_map(|line| line.strip_prefix("fedtail policy test hide_names.wasm ")).unwrap();
    let arguments = test.split('#').next().unwrap().split_whitespace();
    let arguments: Vec<_> = ["test", "hide_names.wasm", "--seeds", "20"].into_iter().chain(arguments).collect();
    let (out, _) = well(policy(&project, &arguments));
    assert!(out.contains("passed    all of them"), "{out}");
    project.join("hide_names.wasm")
}

/// One after the other in one place, since each would compile the same things.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_project_of_each_kind_passes_its_tests_builds_and_runs() {
    let redact = made("redact", 2);
    let stage = Stage::new();
    let site = stage.site("a", Some((&redact, &[("words", "smith")])));
    let log = stage.log("a", "log.txt");
    append(&log, "Smith a@b.c is here\n");
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "[redacted] [redacted] is here\n");

    let delay = made("streamer", 2);
    let site = stage.site("b", Some((&delay, &[("delay-seconds", "1")])));
    let log = stage.log("b", "log.txt");
    append(&log, "a line\n");
    let begin = std::time::Instant::now();
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("b", "log.txt"), "a line\n");
    assert!(begin.elapsed().as_secs() >= 1, "it left after {:?} already", begin.elapsed());

    let endings = made("receiver", 2);
    let stage = Stage::with(|server| server.policy(endings, owned(&[("endings", ".txt")])));
    let site = stage.site("a", None);
    let (log, other) = (stage.log("a", "log.txt"), stage.log("a", "model.bin"));
    append(&log, "a line\n");
    append(&other, "weights");
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "a line\n");
    let outcome = ended(&mut stage.stream(&site, &other)).await;
    assert_eq!(outcome.ending, Ending::Refused, "{outcome}");
    assert!(outcome.reason.contains("takes logs that end with .txt, and model.bin does not"), "{outcome}");
}

/// A name that is taken or bad changes nothing that is there.
#[test]
fn a_new_project_never_touches_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("taken"), "mine").unwrap();
    let words = failed(policy(folder.path(), &["new", "taken", "--lang", "rust"]), 1);
    assert_eq!(words, "taken is there already: choose another name, or move it away\n");
    let words = failed(policy(folder.path(), &["new", "../up", "--lang", "rust"]), 2);
    assert!(words.contains("is no name for a policy: lower-case letters"), "{words}");
    let words = failed(policy(folder.path(), &["new", "impl", "--lang", "rust"]), 2);
    assert!(words.contains("means something else to cargo"), "{words}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made");
    assert_eq!(fs::read_to_string(folder.path().join("taken")).unwrap(), "mine");
}

/// Where nothing can be built, the author reads why, and how to come by what is missing.
#[test]
fn who_has_no_compiler_reads_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let words = failed(policy(folder.path(), &["build"]), 1);
    assert!(words.contains("there is no Cargo.toml in /") && words.contains("a policy's crate"), "{words}");

    well(policy(folder.path(), &["new", "mine", "--lang", "rust"]));
    let build = |path: &Path| {
        let mut command = fedtail(["policy", "build", "mine"]);
        failed(command.current_dir(folder.path()).env("PATH", path).env_remove("CARGO").output().unwrap(), 1)
    };
    let words = build(Path::new("/nowhere"));
    assert!(words.contains("there is no rustc with its cargo on the PATH"), "{words}");
    assert!(words.contains("rustup target add wasm32-unknown-unknown"), "{words}");

    // A compiler that says of itself that it is new enough, and has no library for the target.
    let sysroot = folder.path().join("rust");
    fs::create_dir_all(sysroot.join("bin")).unwrap();
    for program in ["rustc", "cargo"] {
        let script = format!(
            "#!/bin/sh\ncase $1 in --print) echo {};; *) echo 'release: 1.99.0\nhost: h\nLLVM version: 22.1';; esac\n",
            sysroot.display()
        );
        let file = sysroot.join("bin").join(program);
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let words = build(&sysroot.join("bin"));
    assert!(words.contains("it has no standard library for wasm32-unknown-unknown, nor its source"), "{words}");
    assert!(words.contains("apt-get install rustc-web"), "{words}");
}

/// A mistake in the source is shown in the compiler's words, and no component is left that looks like one of it.
#[test]
fn a_mistake_in_a_policy_is_shown_as_the_compiler_says_it() {
    let folder = tempfile::tempdir().unwrap();
    well(policy(folder.path(), &["new", "mine", "--lang", "rust"]));
    let project = folder.path().join("mine");
    fs::write(project.join("src/lib.rs"), "fn nothing() -> u8 { \"text\" }\n").unwrap();
    // Without the library, so that nothing but the mistake is compiled.
    fs::write(project.join("Cargo.toml"), "[package]\nname = \"mine\"\nedition = \"2024\"\n[workspace]\n").unwrap();
    let output = policy(folder.path(), &["build", "mine"]);
    let all = text(&output.stderr);
    let words = failed(output, 1);
    assert!(all.contains("mismatched types"), "{all}");
    assert!(words.contains("could not be built with") && words.contains("the compiler's words are above"), "{words}");

    fs::write(project.join("src/lib.rs"), "").unwrap();
    let words = failed(policy(folder.path(), &["build", "mine"]), 1);
    assert!(words.contains("is no policy: it exports nothing"), "{words}");
    assert!(!project.join("mine.wasm").exists());
}

/// The words are for components of others, too, and for what is none.
#[test]
fn inspect_says_what_a_file_is_and_what_it_can_reach() {
    let folder = tempfile::tempdir().unwrap();
    let inspect = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        fs::write(&file, bytes).unwrap();
        policy(folder.path(), &["inspect", name])
    };
    let redact = fs::read(crate::stage::guest("fedtail-policy-redact")).unwrap();
    let (out, _) = well(inspect("redact.wasm", &redact));
    for words in [
        "is        a streamer policy of fedtail:policy 0.1.0\n",
        &format!("size      {} bytes\ndigest    {}\n", redact.len(), fedtail::policy::Digest::of(&redact)),
        "exports   fedtail:policy/tailing@0.1.0: start step\n",
        "fedtail:policy/clock@0.1.0: now",
        "open the one log that it is granted, with its rotated files\n",
        "look at the bytes\n",
        "it can't  reach other files, the network, the environment",
        "fits      yes: this fedtail runs it as a streamer policy\n",
    ] {
        assert!(out.contains(words), "{words:?} is missing:\n{out}");
    }
    assert!(!out.contains("store what a site sends"), "{out}");

    let output = inspect("newer.wasm", &of_version(&redact, "0.1.1"));
    assert!(text(&output.stdout).contains("is        a streamer policy of fedtail:policy 0.1.1\n"));
    let words = failed(output, 3);
    assert!(words.contains("built for version 0.1.1 of the contract, and this host serves 0.1.0"), "{words}");

    let foreign =
        wat::parse_str("(component (import \"acme:disk/tools\" (instance (export \"erase\" (func)))))").unwrap();
    let output = inspect("foreign.wasm", &foreign);
    assert!(text(&output.stdout).contains("imports   acme:disk/tools: erase\n"), "{}", text(&output.stdout));
    assert!(failed(output, 3).contains("is not a policy, and this fedtail would not run it"));

    assert!(failed(inspect("core.wasm", b"\0asm\x01\0\0\0"), 3).contains("it is a core module"));
    assert!(failed(inspect("text.wasm", b"hello"), 3).contains("does not begin as WebAssembly does"));
    assert!(
        failed(policy(folder.path(), &["inspect", "absent.wasm"]), 3).contains("absent.wasm cannot be read: No such")
    );
}

/// The same component as if it were built against another version of the contract: the version stands in names only, and
/// this one has as many digits.
pub fn of_version(component: &[u8], version: &str) -> Vec<u8> {
    let (old, new) = ("@0.1.0", format!("@{version}"));
    assert_eq!(old.len(), new.len());
    let mut bytes = component.to_vec();
    for at in 0..bytes.len() - old.len() {
        if bytes[at..].starts_with(old.as_bytes()) {
            bytes[at..at + new.len()].copy_from_slice(new.as_bytes());
        }
    }
    assert_ne!(bytes, component);
    bytes
}
