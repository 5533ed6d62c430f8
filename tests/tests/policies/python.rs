//! Policies in Python, with the interpreter in the component.
//!
//! They need `componentize-py`, which `cargo xtask test` installs from PyPI where it can, and says so where it can't. Then
//! `FEDTAIL_COMPONENTIZE` names the folder that it is in; without it these tests do nothing, and say so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use fedtail::simulation::Rehearsal;
use fedtail::site::{Ending, SiteBuilder};

use crate::author::{desk, policy, well};
use crate::stage::{PATIENCE, Settings, Stage, append, ended};

/// Where the tool is; none where these tests can't be run.
fn tool() -> Option<PathBuf> {
    let folder = std::env::var_os("FEDTAIL_COMPONENTIZE").map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: componentize-py is not installed, see `cargo xtask test`");
    }
    folder
}

/// Builds the project in a folder, and returns its component.
fn built(tool: &Path, project: &Path, name: &str) -> PathBuf {
    let file = desk().join(name);
    let path = std::env::join_paths([tool, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let mut command = fedtail_tests::fedtail(["policy", "build"]);
    command.arg(project).arg("--output").arg(&file).env("PATH", path);
    let (out, _) = well(command.output().unwrap());
    assert!(out.contains("fits      yes: this fedtail runs it as a streamer policy"), "{out}");
    assert!(out.contains("with no files, sockets or environment behind it"), "{out}");
    file
}

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// What a Python author types, and then a log that grows and rotates.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_project_in_python_passes_its_tests_builds_and_runs() {
    let Some(tool) = tool() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = well(policy(folder.path(), &["new", "hide-names", "--lang", "python"]));
    assert!(out.contains("pip install componentize-py=="), "{out}");
    let project = folder.path().join("hide-names");
    let tests = Command::new("python3").args(["-B", "-m", "unittest"]).current_dir(&project).output().unwrap();
    let (_, err) = well(tests);
    assert!(err.contains("Ran 2 tests"), "{err}");

    let component = built(&tool, &project, "hide_names_python.wasm");
    let file = component.to_str().unwrap();
    let (out, _) = well(policy(&desk(), &["test", file, "--seeds", "5", "--policy-setting", "words=smith"]));
    assert!(out.contains(": filters\n") && out.contains("passed    all of them"), "{out}");

    let stage = Stage::new();
    // An interpreter is slow: what is tried of it in the time has to be good, and is enough.
    let tried = |site: SiteBuilder| site.battery(Rehearsal::default());
    let site = stage.site_with("a", Some((&component, &[("words", "smith")])), tried);
    let log = stage.log("a", "log.txt");
    let stream = stage.stream(&site, &log);
    append(&log, "Smith a@b.c is here\nand half a");
    stage.has("a", "log.txt", "[redacted] [redacted] is here\n").await;
    fs::rename(&log, log.with_extension("txt.1")).unwrap();
    append(&log, "@b.c line\nthe last smith");
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(
        stage.stored("a", "log.txt"),
        "[redacted] [redacted] is here\nand half [redacted] line\nthe last [redacted]"
    );
}

/// The example comes to the same as the one in Rust, also where reads end within what is taken out.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_in_python_takes_out_what_the_one_in_rust_does() {
    let Some(tool) = tool() else { return };
    let project = in_repository("examples/policies/redact-python");
    let tests = Command::new("python3").args(["-B", "-m", "unittest"]).current_dir(&project).output().unwrap();
    let (_, err) = well(tests);
    assert!(err.contains("Ran 4 tests"), "{err}");

    let python = built(&tool, &project, "redact_python.wasm");
    let rust = crate::stage::guest("fedtail-policy-redact");
    let stage = Stage::new();
    let settings: Settings<'_> = &[("pattern.ward", "ward [0-9]+"), ("patient", "off")];
    let text: String = (0..20_000)
        .map(|number| format!("{number} mail nurse{number}@clinic.example from 10.1.2.3, ward {number}, id MRN=7\n"))
        .collect();
    assert!(text.len() > 4 * (256 << 10), "it takes several chunks");
    for (name, component) in [("python", &python), ("rust", &rust)] {
        let log = stage.log(name, "log.txt");
        append(&log, &text);
        let outcome = stage.stream(&stage.site(name, Some((component, settings))), &log).finish(PATIENCE).await;
        assert_eq!(outcome.ending, Ending::Complete, "{name}: {outcome}");
    }
    let left = stage.stored("python", "log.txt");
    assert!(left == stage.stored("rust", "log.txt"), "what left is not the same");
    assert!(left.starts_with("0 mail [email] from [ip], [ward], id MRN=7\n"), "{}", &left[..100]);
}

/// How a policy in Python that is told to do something ends.
async fn spied(component: &Path, does: &str) -> String {
    let stage = Stage::new();
    let log = stage.log("a", "log.txt");
    append(&log, "a line\n");
    let site =
        stage.site_with("a", Some((component, &[("does", does)])), |site| site.step_time(Duration::from_secs(2)));
    let outcome = ended(&mut stage.stream(&site, &log)).await;
    assert_eq!(outcome.ending, Ending::Failed, "{does}: {outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "", "{does}");
    outcome.reason
}

/// Files, sockets, names, the environment: the interface is there, and nothing behind it. What does not end is ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_in_python_that_tries_for_files_sockets_and_environment_gets_none() {
    let Some(tool) = tool() else { return };
    let spy = built(&tool, &in_repository("tests/python/spy"), "spy.wasm");
    let words = spied(&spy, "try").await;
    for answer in [
        "read a file: FileNotFoundError",
        "read a file here: FileNotFoundError",
        "write a file: FileNotFoundError",
        "list /: FileNotFoundError",
        "list .: FileNotFoundError",
        "environment: {}",
        "arguments: []",
        "input: ''",
        "resolve: gaierror",
        "tcp: PermissionError",
        "udp: PermissionError",
        "run: AttributeError",
    ] {
        assert!(words.contains(answer), "{answer:?} is missing: {words}");
    }
    let words = spied(&spy, "sleep").await;
    assert!(words.contains("it tried to sleep or to wait"), "{words}");
    let words = spied(&spy, "exit").await;
    assert!(words.contains("Exited with i32 exit status"), "{words}");
    let words = spied(&spy, "memory").await;
    assert!(words.contains("the policy was stopped") || words.contains("MemoryError"), "{words}");
    let words = spied(&spy, "loop").await;
    assert!(words.contains("a step took longer than it may"), "{words}");
}

/// Without the tool an author reads how to come by it.
#[test]
fn who_has_no_componentize_py_reads_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    well(policy(folder.path(), &["new", "mine", "--lang", "python"]));
    let build = || {
        let mut command = fedtail_tests::fedtail(["policy", "build", "mine"]);
        crate::author::failed(command.current_dir(folder.path()).env("PATH", "/nowhere").output().unwrap(), 1)
    };
    let words = build();
    assert!(words.contains("there is no componentize-py in .venv or on the PATH: python3 -m venv .venv"), "{words}");
    fs::write(folder.path().join("mine/pyproject.toml"), "[project]\nname = \"mine\"\n").unwrap();
    let words = build();
    assert!(words.contains("pyproject.toml: it does not say how the component is made"), "{words}");
    let words =
        crate::author::failed(policy(folder.path(), &["new", "two", "--lang", "python", "--kind", "receiver"]), 2);
    assert!(words.contains("in Python there is a project of the kind redact"), "{words}");
}
