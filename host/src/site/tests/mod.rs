//! A site and a server in one process, with real components and files.

mod admission;
mod connection;
mod failing;
mod far;
mod swap;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;

use super::*;
use crate::names::JobName;
use crate::policy::Digest;
use crate::policy::testing::{numbering, replace, variant};
use crate::server::Server;
use crate::store::Reader;
use crate::transport::InProcess;

const PATIENCE: Duration = Duration::from_secs(60);

/// One site with one log, under the policies of a directory.
struct World {
    directory: tempfile::TempDir,
    server: Server,
    site: Site,
    events: mpsc::UnboundedReceiver<PolicyEvent>,
}

/// The numbering policy `file`, under this tag, with further settings.
fn rule(file: &str, tag: &str, fail: &str) -> String {
    format!("[[policy]]\nfile = \"{file}\"\nsettings = {{ tag = \"{tag}\", fail = \"{fail}\" }}\n")
}

/// Digest of a variant of the numbering policy.
fn digest(mark: u8) -> Digest {
    Digest::of(&variant(numbering(), mark))
}

impl World {
    /// Begins with these rules; `a.wasm` and `b.wasm` are there.
    async fn new(rules: &str) -> Self {
        Self::audited(rules, false).await
    }

    async fn audited(rules: &str, audited: bool) -> Self {
        Self::over(|server| InProcess::new(server, SiteName::new("site").unwrap()), rules, audited).await
    }

    async fn over<T: Transport>(transport: impl FnOnce(&Server) -> T, rules: &str, audited: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policies = directory.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        std::fs::write(policies.join("a.wasm"), variant(numbering(), b'a')).unwrap();
        std::fs::write(policies.join("b.wasm"), variant(numbering(), b'b')).unwrap();
        std::fs::write(policies.join("policies.toml"), rules).unwrap();
        let server = Server::builder(directory.path().join("store")).start().unwrap();
        let (told, events) = mpsc::unbounded_channel();
        let mut builder = Site::builder(transport(&server))
            .policies(Origin::at(&policies))
            .poll_interval(Duration::from_millis(20))
            .on_policy(move |event| told.send(event.clone()).unwrap_or_default());
        if audited {
            builder = builder.audit(Audit::open(&directory.path().join("audit")).unwrap());
        }
        let site = builder.start().unwrap();
        let mut world = Self { directory, server, site, events };
        assert!(matches!(world.event().await, PolicyEvent::Loaded { .. }));
        world
    }

    fn policy_file(&self, name: &str) -> PathBuf {
        self.directory.path().join("policies").join(name)
    }

    /// Other rules, all at once.
    fn rules(&self, rules: &str) {
        replace(&self.policy_file("policies.toml"), rules);
    }

    fn log(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn stream(&self) -> Stream {
        self.site.stream(LogFile::new(self.log(), JobName::new("job").unwrap())).unwrap()
    }

    fn write(&self, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true).open(self.log()).and_then(|mut log| log.write_all(text.as_bytes())).unwrap();
    }

    fn stored(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("store/job/site/log")).unwrap_or_default()
    }

    /// Waits until this is stored.
    async fn until_stored(&self, text: &str) {
        let mut commits = self.server.commits();
        let stored = async {
            while self.stored() != text {
                commits.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, stored).await.is_err() {
            panic!("{:?} is stored, not {text:?}", self.stored());
        }
    }

    /// The next thing that happens to a policy.
    async fn event(&mut self) -> PolicyEvent {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("nothing happened").unwrap()
    }

    /// The next thing that happens to a stream's policy.
    async fn stream_event(&mut self) -> PolicyEvent {
        loop {
            match self.event().await {
                PolicyEvent::Loaded { .. } => {}
                event => return event,
            }
        }
    }

    /// Which policy sent what: the first byte and the digest of each range.
    fn ranges(&self) -> Vec<(u64, String)> {
        let reader = Reader::open(&self.directory.path().join("store")).unwrap();
        let entries = reader.list().unwrap();
        let ranges = &entries[0].ranges;
        ranges
            .iter()
            .map(|range| (range.from, format!("sha256:{}", crate::policy::hex(&range.policy_digest))))
            .collect()
    }
}
