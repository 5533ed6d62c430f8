//! A server, sites, and logs, in this process.

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fedtail::names::{JobName, SiteName};
use fedtail::server::{Server, ServerBuilder};
use fedtail::site::{LogFile, Outcome, Site, SiteBuilder, Stream};
use fedtail::transport::InProcess;
use guest_build::GuestBuild;
use tempfile::TempDir;
use tokio::sync::watch;

/// The longest that anything is waited for: far more than a loaded machine needs, so that only what never comes fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Settings of a policy.
pub type Settings<'a> = &'a [(&'a str, &'a str)];

/// The component of a crate of this workspace, built once.
pub fn guest(package: &str) -> PathBuf {
    static BUILT: OnceLock<Mutex<HashMap<String, PathBuf>>> = OnceLock::new();
    // A test that failed while it built one does not keep the others from building theirs.
    let mut built = BUILT.get_or_init(Mutex::default).lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(file) = built.get(package) {
        return file.clone();
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = scratch().parent().unwrap().to_owned();
    let guest = GuestBuild::new(root, &target).unwrap().build(package).unwrap();
    let file = component(package, guest.component());
    built.insert(package.into(), file.clone());
    file
}

/// Keeps a component as a file.
pub fn component(name: &str, bytes: &[u8]) -> PathBuf {
    let file = scratch().join(format!("{name}.wasm"));
    // Another test program may read it at this moment.
    let draft = file.with_extension(format!("{}.part", std::process::id()));
    fs::write(&draft, bytes).unwrap();
    fs::rename(&draft, &file).unwrap();
    file
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

/// Compiled components, kept for the next run.
fn cache() -> Option<PathBuf> {
    Some(scratch().join("compiled"))
}

/// A server with its store, and a directory for logs.
pub struct Stage {
    directory: TempDir,
    pub server: Server,
    ended: Arc<watch::Sender<Vec<String>>>,
}

impl Stage {
    /// With the built-in receiver.
    pub fn new() -> Self {
        Self::with(|server| server)
    }

    /// With a server that is set up like this.
    pub fn with(set_up: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let ended = Arc::new(watch::Sender::new(Vec::new()));
        let told = ended.clone();
        let builder = Server::builder(directory.path().join("store"))
            .cache(cache())
            .on_ended(move |ended| told.send_modify(|lines| lines.push(ended.to_string())));
        let server = set_up(builder).start().unwrap();
        Self { directory, server, ended }
    }

    /// A site of this name, with a streamer policy, or the built-in one.
    pub fn site(&self, name: &str, policy: Option<(&Path, Settings)>) -> Site {
        self.site_with(name, policy, |site| site)
    }

    /// As [`site`](Self::site), set up further.
    pub fn site_with(
        &self,
        name: &str,
        policy: Option<(&Path, Settings)>,
        set_up: impl FnOnce(SiteBuilder) -> SiteBuilder,
    ) -> Site {
        let mut builder = Site::builder(InProcess::new(&self.server, SiteName::new(name).unwrap()))
            .cache(cache())
            .poll_interval(Duration::from_millis(50));
        if let Some((file, settings)) = policy {
            builder = builder.policy(file, owned(settings));
        }
        set_up(builder).start().unwrap()
    }

    /// Where a log of a site is written.
    pub fn log(&self, site: &str, name: &str) -> PathBuf {
        let directory = self.directory.path().join("sites").join(site);
        fs::create_dir_all(&directory).unwrap();
        directory.join(name)
    }

    /// Streams a log.
    pub fn stream(&self, site: &Site, log: &Path) -> Stream {
        site.stream(LogFile::new(log, JobName::new("job").unwrap())).unwrap()
    }

    /// What the server has of a log.
    pub fn stored(&self, site: &str, log: &str) -> String {
        let file = self.directory.path().join("store/job").join(site).join(log);
        String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned()
    }

    /// Waits until the server has this text of a log.
    pub async fn has(&self, site: &str, log: &str, text: &str) {
        let mut commits = self.server.commits();
        let wait = async {
            while self.stored(site, log) != text {
                commits.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            assert_eq!(self.stored(site, log), text, "after {PATIENCE:?}");
        }
    }

    /// Waits until the server has told the end of a stream with these words.
    pub async fn has_ended(&self, words: &str) {
        let mut ended = self.ended.subscribe();
        let told = ended.wait_for(|told| told.iter().any(|line| line.starts_with(words)));
        let is_told = tokio::time::timeout(PATIENCE, told).await.is_ok();
        assert!(is_told, "{words:?} is not in {:?}", self.ended.borrow());
    }
}

/// Waits until a stream has ended by itself.
pub async fn ended(stream: &mut Stream) -> Outcome {
    tokio::time::timeout(PATIENCE, stream.ended()).await.expect("the stream ends")
}

/// Settings as the host takes them.
pub fn owned(settings: Settings) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

/// The job writes.
pub fn append(log: &Path, text: &str) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}
