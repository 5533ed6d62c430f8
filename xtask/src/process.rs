//! Running other programs: what they are told is shown, what they say is kept, and a time is set where they may hang.

use std::env;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Where the program of this name is on the `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// A command as a person would type it, for showing only.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Runs a program, showing its words as they come. Fails with the last of them where it fails, and where it has not
/// ended within `limit`, when it is killed.
pub fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let name = shown(command);
    println!("  running: {name}");
    let deadline = Instant::now() + limit;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("`{name}` could not be started"))?;
    let (sender, words) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        forward(stdout, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        forward(stderr, sender);
    }
    let mut last: Vec<String> = Vec::new();
    loop {
        // Both pipes are closed once the program and all that it started have ended.
        match words.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("    {line}");
                last.push(line);
                last.drain(..last.len().saturating_sub(8));
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                child.kill().with_context(|| format!("`{name}` could not be ended"))?;
                child.wait().with_context(|| format!("`{name}` could not be waited for"))?;
                bail!("`{name}` did not end within {} seconds", limit.as_secs());
            }
        }
    }
    let status = child.wait().with_context(|| format!("`{name}` could not be waited for"))?;
    if !status.success() {
        bail!("`{name}` failed ({status}), and said:\n    {}", last.join("\n    "));
    }
    Ok(())
}

/// Hands the lines of a pipe on, until it is closed.
fn forward(pipe: impl Read + Send + 'static, to: mpsc::Sender<String>) {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if !text.is_empty() && to.send(text).is_err() {
                break;
            }
        }
    });
}

/// The cargo that runs this program, to be run at `root`.
pub fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}

/// Runs a program whose words are its own, on this terminal.
pub fn run_here(command: &mut Command) -> Result<()> {
    let name = shown(command);
    println!("running: {name}");
    let status = command.status().with_context(|| format!("`{name}` could not be started"))?;
    succeeded(&name, status)
}

/// Turns a failure into an error that names the program.
pub fn succeeded(name: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{name}` failed ({status}); its own words are above");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_ends_well_is_no_error() {
        run(&mut shell("echo out; echo err >&2"), Duration::from_secs(60)).unwrap();
    }

    #[test]
    fn a_failure_names_the_command_and_repeats_its_last_words() {
        let error = run(&mut shell("seq 1 20; exit 3"), Duration::from_secs(60)).unwrap_err().to_string();
        assert!(error.starts_with("`sh -c seq 1 20; exit 3` failed (exit status: 3)"), "{error}");
        assert!(error.ends_with("19\n    20") && !error.contains("\n    12\n"), "{error}");
    }

    #[test]
    fn a_program_that_hangs_is_ended_when_its_time_is_over() {
        let error = run(&mut shell("exec sleep 600"), Duration::from_millis(200)).unwrap_err().to_string();
        assert_eq!(error, "`sh -c exec sleep 600` did not end within 0 seconds");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("/absent/program"), Duration::from_secs(60)).unwrap_err();
        assert!(format!("{error:#}").starts_with("`/absent/program` could not be started: "), "{error:#}");
    }
}
