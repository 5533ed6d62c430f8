//! A server's process.

use std::net::SocketAddr;
use std::path::Path;

use crate::{Exit, Kit, Place, Process, Relay, Target, fedtail, project};

/// A server that listens.
pub struct Server {
    /// Its process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
    has_tls: bool,
}

impl Server {
    /// A server of the project, with TLS, on the place's store.
    pub fn with_tls(place: &Place, extra: &[&str]) -> Self {
        Self::with_kit(place, project().server(), extra)
    }

    /// A server with TLS and this identity.
    pub fn with_kit(place: &Place, kit: &Kit, extra: &[&str]) -> Self {
        let mut arguments = kit.server_flags(&place.path("server-kit"));
        arguments.extend(extra.iter().map(|&argument| argument.to_owned()));
        Self::on(&place.store(), "127.0.0.1:0", &arguments)
    }

    /// A server without TLS on the place's store.
    pub fn without_tls(place: &Place, extra: &[&str]) -> Self {
        Self::on(&place.store(), "127.0.0.1:0", extra)
    }

    /// A server at this address.
    pub fn at(address: SocketAddr, place: &Place, extra: &[&str]) -> Self {
        Self::on(&place.store(), &address.to_string(), extra)
    }

    fn on<A: AsRef<str>>(store: &Path, listen: &str, extra: &[A]) -> Self {
        let mut command = fedtail(["server", "--listen", listen, "--store"]);
        command.arg(store).args(extra.iter().map(AsRef::as_ref));
        Self::listening(Process::start("the server", &mut command))
    }

    /// A process that is starting, once it listens.
    pub fn listening(process: Process) -> Self {
        let line = process.says("listening on ");
        let (scheme, rest) = line
            .strip_prefix("listening on ")
            .and_then(|url| url.split_once("://"))
            .unwrap_or_else(|| panic!("the server was to say where it listens: {line}"));
        let address = rest.split(' ').next().unwrap_or(rest).parse();
        let address = address.unwrap_or_else(|e| panic!("the server was to say its address: {line}: {e}"));
        Self { has_tls: scheme == "https", process, address }
    }

    /// How a site of this name reaches it; with TLS, with its kit of the project, kept in the place.
    pub fn target(&self, place: &Place, site: &str) -> Target {
        self.target_at(self.address, place, site)
    }

    /// The same through a relay.
    pub fn target_through(&self, relay: &Relay, place: &Place, site: &str) -> Target {
        self.target_at(relay.address(), place, site)
    }

    fn target_at(&self, address: SocketAddr, place: &Place, site: &str) -> Target {
        if self.has_tls {
            self.target_with(address.port(), &project().member(site).site_flags(&place.path(site)))
        } else {
            Target::without_tls(address, site)
        }
    }

    /// How a site with this identity reaches it.
    pub fn target_of(&self, kit: &Kit, place: &Place) -> Target {
        self.target_with(self.address.port(), &kit.site_flags(&place.path("kit")))
    }

    fn target_with(&self, port: u16, flags: &[String]) -> Target {
        Target::new(&format!("https://localhost:{port}"), flags)
    }

    /// Waits for the line that says how the log's stream ended, which begins with `how`, and returns what it says behind
    /// the log's name. More than one such line is a failure.
    pub fn ended(&self, log: &str, how: &str) -> String {
        let words = format!("ended {log} ");
        let line = self.process.says(&words);
        assert_eq!(self.process.said(&words).len(), 1, "one line for each stream: {:#?}", self.process.said(&words));
        let rest = line.strip_prefix(&words).unwrap_or_else(|| panic!("a line was to begin with {words:?}: {line}"));
        assert!(rest.starts_with(how), "{log} was to end as {how:?}: {line}");
        rest.to_owned()
    }

    /// All lines that said how a stream ended.
    pub fn endings(&self) -> Vec<String> {
        self.process.said("ended ").into_iter().filter(|line| line.starts_with("ended ")).collect()
    }

    /// Asks it to end.
    pub fn stop(self) -> Exit {
        self.process.stop()
    }
}
