//! The program under test.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, prlimit};

use crate::Process;

/// The program as it is built from this checkout. Cargo is asked for it once a run, since a package's tests can't have
/// another package's program built for them: what is fresh costs it a moment, and what is not is never tested.
fn executable() -> &'static Path {
    static EXECUTABLE: OnceLock<PathBuf> = OnceLock::new();
    EXECUTABLE.get_or_init(build)
}

fn build() -> PathBuf {
    let (target, profile) = built_in();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .args(["build", "--package", "fedtail", "--bin", "fedtail", "--message-format", "json-render-diagnostics"])
        .args(["--profile", if profile == "debug" { "dev" } else { &profile }])
        .arg("--target-dir")
        .arg(target);
    // What cargo tells this test of its own package is not true of the program's.
    for (name, _) in std::env::vars_os() {
        let ours =
            name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST"));
        if ours || name == "LD_LIBRARY_PATH" {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap_or_else(|e| panic!("cargo cannot be run: {e}"));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "the program does not build:\n{words}");
    let messages = output.stdout.split(|&byte| byte == b'\n');
    let executable =
        messages.filter_map(|line| serde_json::from_slice::<serde_json::Value>(line).ok()).find_map(|line| {
            let is_program = line["target"]["name"] == "fedtail" && line["target"]["kind"][0] == "bin";
            line["executable"].as_str().filter(|_| is_program).map(PathBuf::from)
        });
    executable.unwrap_or_else(|| panic!("cargo built no program:\n{words}"))
}

/// The target directory and the profile that this very test was built in, so that the same is used for the program.
fn built_in() -> (PathBuf, String) {
    let test = std::env::current_exe().expect("the path of this test");
    let mut above = test.ancestors().skip(2);
    let profile = above.next().and_then(Path::file_name).and_then(|name| name.to_str());
    let profile = profile.expect("a test is in TARGET/PROFILE/deps").to_owned();
    let target = above.next().expect("a test is in TARGET/PROFILE/deps").to_owned();
    (target, profile)
}

/// `fedtail` with these arguments, on its default settings but for the cache of compiled policies: the user's own is not
/// touched.
pub fn fedtail<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Command {
    prepared(Command::new(executable()), arguments)
}

/// The same in a process whose files can't grow beyond `blocks` of 512 bytes each: what a full disk is for one process.
/// The limit is a soft one, which can be raised from outside. The signal that comes with it has its default effect, whatever
/// these tests were started by.
pub fn fedtail_with_file_limit<A: AsRef<std::ffi::OsStr>>(
    blocks: u32,
    arguments: impl IntoIterator<Item = A>,
) -> Command {
    let mut shell = Command::new("env");
    let script = format!("ulimit -S -f {blocks}; exec \"$@\"");
    shell.args(["--default-signal=XFSZ", "sh", "-c", &script, "sh"]).arg(executable());
    prepared(shell, arguments)
}

/// Takes the limit away again: there is room.
pub fn raise_file_limit(process: &Process) {
    let unlimited = Rlimit { current: None, maximum: None };
    prlimit(Some(process.pid()), Resource::Fsize, unlimited).unwrap_or_else(|e| panic!("the limit stays: {e}"));
}

/// Lets a process have `more` descriptors than it has open now; none: as many as it may.
pub fn limit_descriptors(process: &Process, more: Option<usize>) {
    let pid = process.pid().as_raw_nonzero();
    let files = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap_or_else(|e| panic!("process {pid}: {e}"));
    let open: HashSet<u64> = files.map(|file| file.unwrap().file_name().to_str().unwrap().parse().unwrap()).collect();
    let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
    // The limit is the first number that may not be given to a descriptor; the numbers below it need not all be in use.
    let current = match more {
        Some(more) => (0..).filter(|number| !open.contains(number)).nth(more),
        None => maximum,
    };
    let set = prlimit(Some(process.pid()), Resource::Nofile, Rlimit { current, maximum });
    set.unwrap_or_else(|e| panic!("the limit of descriptors stays: {e}"));
}

fn prepared<A: AsRef<std::ffi::OsStr>>(mut command: Command, arguments: impl IntoIterator<Item = A>) -> Command {
    let (target, _) = built_in();
    command.args(arguments).env("XDG_CACHE_HOME", target.join("tmp")).env_remove("RUST_LOG");
    command
}
