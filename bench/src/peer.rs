//! Those who are measured: each takes a log at one end and stores it at the other.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::certificates::{Certificates, SITE};
use crate::process::Running;

/// One of those who are compared.
pub trait Peer {
    /// What the table calls it.
    fn name(&self) -> &'static str;
    /// Starts the receiving end, for one log; it is listening when this returns.
    fn listen(&self, directory: &Path, log: &Path) -> Result<Listener>;
    /// Starts the sending end, which follows the log from its beginning. One process or several.
    fn follow(&self, log: &Path, to: SocketAddr) -> Result<Vec<Running>>;
}

/// A receiving end.
pub struct Listener {
    /// The process.
    pub process: Running,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it stores the log.
    pub stored: PathBuf,
}

/// `tail -F | socat` into `socat`, over mutual TLS.
pub struct Pipe {
    certificates: Certificates,
}

/// Bytes that socat moves at a time. Its default of 8 KiB is slower by far; this is as fast as it gets.
const SOCAT_BUFFER: &str = "65536";

impl Pipe {
    /// The pipe, where its programs are installed.
    pub fn find(certificates: &Certificates) -> Option<Self> {
        let found = Command::new("socat").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success());
        found.then(|| Self { certificates: certificates.clone() })
    }
}

impl Peer for Pipe {
    fn name(&self) -> &'static str {
        "tail, socat"
    }

    fn listen(&self, directory: &Path, log: &Path) -> Result<Listener> {
        let stored = directory.join("stored").join(log.file_name().unwrap_or_default());
        std::fs::create_dir_all(directory.join("stored"))?;
        let (server, authority) = (&self.certificates.server, &self.certificates.authority);
        let from = format!(
            "OPENSSL-LISTEN:0,bind=127.0.0.1,cert={},key={},cafile={},verify=1",
            server.certificate.display(),
            server.key.display(),
            authority.display()
        );
        let to = format!("OPEN:{},creat,append", stored.display());
        let mut socat = Command::new("socat");
        // With -d -d it says where it listens.
        socat.args(["-d", "-d", "-b", SOCAT_BUFFER, "-u"]).args([from, to]).stderr(Stdio::piped());
        let mut process = Running::start(&mut socat)?;
        let address = process.first_complaint(|line| {
            let (_, address) = line.split_once("listening on ")?;
            address.rsplit_once(' ')?.1.parse().ok()
        })?;
        Ok(Listener { process, address, stored })
    }

    fn follow(&self, log: &Path, to: SocketAddr) -> Result<Vec<Running>> {
        let (site, authority) = (&self.certificates.site, &self.certificates.authority);
        let to = format!(
            "OPENSSL:{to},cert={},key={},cafile={},verify=1,commonname=localhost,nodelay",
            site.certificate.display(),
            site.key.display(),
            authority.display()
        );
        let mut tail = Command::new("tail");
        let mut tail = Running::start(tail.args(["-c", "+1", "-F"]).arg(log).stdout(Stdio::piped()))?;
        let mut socat = Command::new("socat");
        socat.args(["-b", SOCAT_BUFFER, "-u", "STDIN", &to]).stdin(tail.output()?);
        Ok(vec![tail, Running::start(&mut socat)?])
    }
}

/// `fedtail stream` to `fedtail server`.
pub struct Fedtail {
    program: PathBuf,
    certificates: Certificates,
    /// For compiled policies, so that the user's own is left alone.
    cache: PathBuf,
}

impl Fedtail {
    /// The program at this path.
    pub fn new(program: PathBuf, certificates: Certificates, directory: &Path) -> Self {
        Self { program, certificates, cache: directory.join("cache") }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("XDG_CACHE_HOME", &self.cache).env_remove("RUST_LOG").stdout(Stdio::piped());
        command
    }
}

impl Peer for Fedtail {
    fn name(&self) -> &'static str {
        "fedtail"
    }

    fn listen(&self, directory: &Path, log: &Path) -> Result<Listener> {
        let store = directory.join("store");
        let (server, authority) = (&self.certificates.server, &self.certificates.authority);
        let mut command = self.command();
        command.args(["server", "--listen", "127.0.0.1:0", "--store"]).arg(&store);
        command.arg("--tls-cert").arg(&server.certificate).arg("--tls-key").arg(&server.key);
        command.arg("--client-ca").arg(authority);
        let mut process = Running::start(&mut command)?;
        let address = process.first_words(|line| line.strip_prefix("listening on https://")?.parse().ok())?;
        let stored = store.join("job").join(SITE).join(log.file_name().unwrap_or_default());
        Ok(Listener { process, address, stored })
    }

    fn follow(&self, log: &Path, to: SocketAddr) -> Result<Vec<Running>> {
        let (site, authority) = (&self.certificates.site, &self.certificates.authority);
        let mut command = self.command();
        command.args(["stream", "--job", "job", "--server", &format!("https://{to}")]);
        command.arg("--cert").arg(&site.certificate).arg("--key").arg(&site.key).arg("--ca").arg(authority).arg(log);
        let mut process = Running::start(&mut command)?;
        let connected = process.first_words(|line| line.starts_with("streaming to").then_some(()));
        connected.context("the site did not start")?;
        Ok(vec![process])
    }
}
