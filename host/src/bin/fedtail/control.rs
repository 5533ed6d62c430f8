//! How a running program is told to read its policies again: SIGHUP, or a socket that `fedtail policy reload` finds.
//!
//! The socket is in a directory that only this user can enter: `$XDG_RUNTIME_DIR/fedtail`, else `fedtail-<user id>` in the
//! directory for temporary files. Its name is the process's number. Whoever connects is answered when the policies were
//! read: a first line `ok` or `refused`, then words.

use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fedtail::policy::PolicyError;
use fedtail::policy::set::Reloaded;
use tokio::io::AsyncWriteExt;
use tokio::net::{UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{debug, warn};

use crate::exit::Failure;

/// What a socket's file is called, behind the process's number.
const SOCKET: &str = "policies";

type Reload = Arc<dyn Fn() -> Result<Reloaded, PolicyError> + Send + Sync>;

/// Listens to SIGHUP from now on, before anything else is started: unheard, it would end the program.
pub struct Hangup(Signal);

impl Hangup {
    pub fn listen() -> Result<Self, Failure> {
        let listening = signal(SignalKind::hangup());
        listening.map(Self).map_err(|e| Failure::start(format!("signals cannot be listened to: {e}")))
    }

    /// Reads the policies again at each SIGHUP. What comes of it is in the program's log.
    pub fn reloads(mut self, reload: impl Fn() -> Result<Reloaded, PolicyError> + Send + Sync + 'static) {
        let reload: Reload = Arc::new(reload);
        tokio::spawn(async move {
            while self.0.recv().await.is_some() {
                match read_again(&reload).await {
                    (true, words) => tracing::info!("SIGHUP: {words}"),
                    // What was refused is in the log already.
                    (false, words) => debug!("SIGHUP: {words}"),
                }
            }
        });
    }
}

/// The socket's file, removed at the end.
pub struct Socket(PathBuf);

impl Drop for Socket {
    fn drop(&mut self) {
        // One that is left is found out as dead by the next who looks.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Listens on the socket. Where it can't be made, a warning says why, and SIGHUP is left.
pub fn listen(reload: impl Fn() -> Result<Reloaded, PolicyError> + Send + Sync + 'static) -> Option<Socket> {
    let bound = directory().and_then(|directory| {
        let path = directory.join(format!("{}.{SOCKET}", std::process::id()));
        // A process of the same number may have left its own.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok((listener, path))
    });
    let (listener, path) = match bound {
        Ok(bound) => bound,
        Err(reason) => {
            warn!("`fedtail policy reload` will not find this program: {reason}");
            return None;
        }
    };
    let reload: Reload = Arc::new(reload);
    tokio::spawn(async move {
        loop {
            let mut caller = match listener.accept().await {
                Ok((caller, _)) => caller,
                Err(error) => {
                    // Without a descriptor, for example; there may be one later.
                    debug!("whoever asks for the policies to be read again waits: {error}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                }
            };
            let (well, words) = read_again(&reload).await;
            let answer = format!("{}\n{words}\n", if well { "ok" } else { "refused" });
            if let Err(error) = caller.write_all(answer.as_bytes()).await {
                debug!("whoever asked for the policies to be read again is gone: {error}");
            }
        }
    });
    Some(Socket(path))
}

async fn read_again(reload: &Reload) -> (bool, String) {
    let reload = reload.clone();
    match tokio::task::spawn_blocking(move || reload()).await {
        Ok(Ok(reloaded)) => {
            let policies: Vec<_> = reloaded.policies.iter().map(|(file, digest)| format!("{file} {digest}")).collect();
            let what = if reloaded.changed { "policies are loaded" } else { "nothing has changed" };
            (true, format!("{what}: {}", policies.join(", ")))
        }
        Ok(Err(error)) => (false, format!("{error}; the policies before it stay in use")),
        Err(defect) => (false, format!("a defect of the program: {defect}")),
    }
}

/// The directory of the sockets, made if it is not there, or why it can't be used.
fn directory() -> Result<PathBuf, String> {
    let user = rustix::process::geteuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = match runtime {
        Some(runtime) => runtime.join("fedtail"),
        None => std::env::temp_dir().join(format!("fedtail-{user}")),
    };
    private(&directory, user).map_err(|reason| format!("{}: {reason}", directory.display()))?;
    Ok(directory)
}

fn private(directory: &Path, user: u32) -> Result<(), String> {
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e.to_string()),
        _ => {}
    }
    let found = std::fs::symlink_metadata(directory).map_err(|e| e.to_string())?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o077 != 0 {
        return Err("it is not a directory of this user alone: remove it, or chmod 700 it".into());
    }
    Ok(())
}

/// What a running program answered.
pub struct Answer {
    pub process: u32,
    pub well: bool,
    pub words: String,
}

/// Asks this user's running programs, or those of these numbers, to read their policies again.
pub async fn ask(processes: &[u32]) -> Result<Vec<Answer>, String> {
    let directory = directory()?;
    let failed = |e: std::io::Error| format!("{}: {e}", directory.display());
    let mut answers = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let number = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(SOCKET));
        let Some(process) = number.and_then(|number| number.strip_suffix('.')?.parse().ok()) else { continue };
        if !processes.is_empty() && !processes.contains(&process) {
            continue;
        }
        match UnixStream::connect(&path).await {
            Ok(stream) => answers.push(hear(process, stream).await),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionRefused => {
                // Left by a process that was killed.
                let _ = std::fs::remove_file(&path);
            }
            Err(e) => answers.push(Answer { process, well: false, words: format!("{}: {e}", path.display()) }),
        }
    }
    answers.sort_by_key(|answer| answer.process);
    Ok(answers)
}

async fn hear(process: u32, mut stream: UnixStream) -> Answer {
    let mut text = String::new();
    match tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut text).await {
        Ok(_) => match text.split_once('\n') {
            Some((first, words)) => Answer { process, well: first == "ok", words: words.trim_end().into() },
            None => Answer { process, well: false, words: "it ended without an answer".into() },
        },
        Err(e) => Answer { process, well: false, words: format!("it did not answer: {e}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_others_can_enter_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("d");
        let user = rustix::process::geteuid().as_raw();
        assert_eq!(private(&directory, user), Ok(()));
        assert_eq!(private(&directory, user), Ok(()), "again");
        std::fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        assert!(private(&directory, user).unwrap_err().contains("chmod 700"));
        assert!(private(&directory, user + 1).is_err());
    }
}
