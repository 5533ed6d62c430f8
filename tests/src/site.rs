//! A site's processes.

use std::net::SocketAddr;
use std::path::Path;

use crate::{Process, fedtail};

/// How a site reaches its server, and as whom: the flags for it.
#[derive(Clone)]
pub struct Target {
    flags: Vec<String>,
}

impl Target {
    /// A server by URL, with more flags that say who the site is.
    pub fn new<A: AsRef<str>>(url: &str, identity: &[A]) -> Self {
        let mut flags = vec!["--server".to_owned(), url.to_owned()];
        flags.extend(identity.iter().map(|flag| flag.as_ref().to_owned()));
        Self { flags }
    }

    /// A server on this machine without TLS, as a site of this name.
    pub fn without_tls(address: SocketAddr, site: &str) -> Self {
        Self::new(&format!("http://{address}"), &["--site", site])
    }

    /// The flags.
    pub fn flags(&self) -> &[String] {
        &self.flags
    }
}

/// Short, so that a test does not wait for it; file events come sooner anyway.
const POLL_INTERVAL: &str = "200ms";

/// `fedtail stream` of one log of a job.
pub fn stream(target: &Target, job: &str, extra: &[&str], log: &Path) -> Process {
    let mut command = fedtail(["stream", "--job", job]);
    if !extra.contains(&"--poll-interval") {
        command.args(["--poll-interval", POLL_INTERVAL]);
    }
    command.args(&target.flags).args(extra).arg(log);
    Process::start("the site", &mut command)
}

/// `fedtail run` of a shell's script that writes one log of a job.
pub fn run(target: &Target, job: &str, log: &Path, script: &str) -> Process {
    let mut command = fedtail(["run", "--job", job, "--poll-interval", POLL_INTERVAL]);
    command.args(&target.flags).arg("--log").arg(log).args(["--", "sh", "-c", script, "sh"]).arg(log);
    Process::start("the site", &mut command)
}
