//! The server and the sites: this same program, started as a user would start it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::exit::Failure;

/// How long a site may take to have its last lines stored, as `fedtail stream` takes it.
const FINISH_TIMEOUT: &str = "30s";

/// What runs. Dropping it kills what still does.
pub struct Processes {
    /// Where they run, which keeps their command lines short.
    directory: PathBuf,
    server: Option<Server>,
    sites: Vec<Site>,
    /// As a person would type them.
    pub commands: Vec<String>,
}

struct Server {
    child: Child,
    /// Held open, since the server goes on saying how streams end.
    _words: Lines<BufReader<ChildStdout>>,
}

struct Site {
    name: &'static str,
    child: Child,
}

impl Processes {
    pub fn new(directory: &Path) -> Self {
        Self { directory: directory.into(), server: None, sites: Vec::new(), commands: Vec::new() }
    }

    /// Starts the server on a free port. Returns its URL, once it listens.
    pub async fn start_server(&mut self, store: &Path) -> Result<String, Failure> {
        let mut child = self.start(|command| {
            command.args(["server", "--listen", "127.0.0.1:0", "--store"]).arg(store);
        })?;
        let stdout = child.stdout.take().ok_or_else(|| Failure::start("the server was started without an output"))?;
        let mut words = BufReader::new(stdout).lines();
        let first = words.next_line().await.ok().flatten();
        // "listening on URL without TLS: ..."
        let url = first.as_deref().and_then(|line| line.strip_prefix("listening on ")?.split(' ').next());
        let Some(url) = url.map(str::to_owned) else {
            // Why is on standard error already.
            let status = child.wait().await.map_or_else(|e| e.to_string(), |status| status.to_string());
            return Err(Failure::start(format!("the demo's server did not start ({status})")));
        };
        self.server = Some(Server { child, _words: words });
        Ok(url)
    }

    /// Starts a site that streams these logs, which need not exist yet.
    pub fn start_site(&mut self, name: &'static str, url: &str, job: &str, logs: &[PathBuf]) -> Result<(), Failure> {
        let child = self.start(|command| {
            command.args(["stream", "--server", url, "--job", job, "--site", name]);
            command.args(["--finish-timeout", FINISH_TIMEOUT]).args(logs);
        })?;
        self.sites.push(Site { name, child });
        Ok(())
    }

    fn start(&mut self, arguments: impl FnOnce(&mut Command)) -> Result<Child, Failure> {
        let program = std::env::current_exe()
            .map_err(|e| Failure::start(format!("the demo cannot find the program that it is: {e}")))?;
        let mut command = Command::new(&program);
        // In a group of its own: at a terminal Ctrl-C is for the demo, which then ends what it started.
        command.current_dir(&self.directory).process_group(0);
        arguments(&mut command);
        let words = command.as_std().get_args().map(|word| word.to_string_lossy());
        self.commands.push(words.fold("fedtail".to_owned(), |line, word| line + " " + &word));
        // Warnings of the processes go where the demo's own go.
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn();
        child.map_err(|e| Failure::start(format!("the demo cannot start {}: {e}", program.display())))
    }

    /// Fails if one has ended that was not asked to.
    pub fn all_running(&mut self) -> Result<(), Failure> {
        let server = self.server.iter_mut().map(|server| ("server", &mut server.child));
        for (name, child) in server.chain(self.sites.iter_mut().map(|site| (site.name, &mut site.child))) {
            if let Ok(Some(status)) = child.try_wait() {
                return Err(Failure::start(format!("the demo's {name} ended by itself ({status})")));
            }
        }
        Ok(())
    }

    /// Asks all sites to stop and waits until they have. Returns what those said that did not complete.
    pub async fn stop_sites(&mut self) -> Result<Vec<String>, Failure> {
        for site in &self.sites {
            ask_to_end(&site.child);
        }
        let mut complaints = Vec::new();
        for site in self.sites.drain(..) {
            let name = site.name;
            let Output { status, stdout, .. } = site
                .child
                .wait_with_output()
                .await
                .map_err(|e| Failure::start(format!("the demo's {name} cannot be waited for: {e}")))?;
            if !status.success() {
                let words = String::from_utf8_lossy(&stdout);
                complaints.push(format!("{name} did not end well ({status}); it said:\n{}", words.trim_end()));
            }
        }
        Ok(complaints)
    }

    /// Ends what still runs, at once, and waits until it is gone.
    pub async fn end(&mut self) {
        let children = self.sites.drain(..).map(|site| site.child).chain(self.server.take().map(|server| server.child));
        for mut child in children {
            // Fails where it has ended by itself. What is stored is stored, so a server can be killed.
            let _ = child.kill().await;
        }
    }
}

fn ask_to_end(child: &Child) {
    if let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // One that has just ended needs no signal; how it ended is seen when it is waited for.
        let _ = kill_process(pid, Signal::TERM);
    }
}
