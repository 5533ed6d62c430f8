//! The receiver's policy changes while a site streams.

use std::io::Write;
use std::path::PathBuf;

use tokio::sync::mpsc;

use crate::names::JobName;
use crate::names::SiteName;
use crate::policy::Digest;
use crate::policy::set::{Origin, PolicyEvent};
use crate::policy::testing::{RECEIVER, marking, replace, variant};
use crate::server::Server;
use crate::site::{Ending, LogFile, Site, Stream as LogStream};
use crate::transport::InProcess;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

struct World {
    directory: tempfile::TempDir,
    server: Server,
    stream: LogStream,
    events: mpsc::UnboundedReceiver<PolicyEvent>,
}

impl World {
    fn new(rules: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let policies = directory.path().join("policies");
        std::fs::create_dir(&policies).unwrap();
        std::fs::write(policies.join("a.wasm"), variant(RECEIVER, b'a')).unwrap();
        std::fs::write(policies.join("b.wasm"), variant(RECEIVER, b'b')).unwrap();
        std::fs::write(policies.join("marking.wasm"), marking()).unwrap();
        std::fs::write(policies.join("policies.toml"), rules).unwrap();
        let (told, events) = mpsc::unbounded_channel();
        let server = Server::builder(directory.path().join("store"))
            .policies(Origin::at(&policies))
            .on_policy(move |event| told.send(event.clone()).unwrap_or_default())
            .start()
            .unwrap();
        let site = Site::builder(InProcess::new(&server, SiteName::new("site").unwrap())).start().unwrap();
        let log = LogFile::new(directory.path().join("log"), JobName::new("job").unwrap());
        let stream = site.stream(log).unwrap();
        Self { directory, server, stream, events }
    }

    fn rules(&self, rules: &str) {
        replace(&self.directory.path().join("policies/policies.toml"), rules);
    }

    fn stored(&self) -> PathBuf {
        self.directory.path().join("store/job/site/log")
    }

    async fn write_and_wait(&self, text: &str, stored: &str) {
        let mut commits = self.server.commits();
        self.write(text);
        let arrives = async {
            while std::fs::read_to_string(self.stored()).unwrap_or_default() != stored {
                commits.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, arrives).await.unwrap_or_else(|_| panic!("{stored:?} is not stored"));
    }

    fn write(&self, text: &str) {
        let mut options = std::fs::OpenOptions::new();
        let log = options.append(true).create(true).open(self.directory.path().join("log"));
        log.and_then(|mut log| log.write_all(text.as_bytes())).unwrap();
    }

    async fn event(&mut self) -> PolicyEvent {
        loop {
            match tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("nothing happened").unwrap() {
                PolicyEvent::Loaded { .. } => {}
                event => return event,
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receivers_policy_takes_over_in_the_middle_of_an_opening() {
    let mut world = World::new("[[policy]]\nfile = \"a.wasm\"\nsites = \"site\"\n");
    world.write_and_wait("one\n", "one\n").await;
    world.rules("[[policy]]\nfile = \"b.wasm\"\n");
    let server = world.server.clone();
    tokio::task::spawn_blocking(move || server.reload_policies().unwrap()).await.unwrap();
    world.write_and_wait("two\n", "one\ntwo\n").await;
    match world.event().await {
        PolicyEvent::Swapped { stream, from, to, .. } => {
            let digest = |mark| Digest::of(&variant(RECEIVER, mark));
            assert_eq!((stream.as_str(), from, to), ("job/site/log", digest(b'a'), digest(b'b')));
        }
        event => panic!("{event}"),
    }
    let stored = world.stored();
    assert_eq!(world.stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(std::fs::read_to_string(stored).unwrap(), "one\ntwo\n");
}

/// The built-in policy takes no settings, so with some it refuses each stream.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_that_refuses_a_stream_ends_it_and_the_site_hears_why() {
    let mut world = World::new("[[policy]]\nfile = \"a.wasm\"\n");
    world.write_and_wait("one\n", "one\n").await;
    world.rules("[[policy]]\nfile = \"a.wasm\"\nsettings = { quota = 1 }\n");
    match world.event().await {
        PolicyEvent::NotSwapped { reason, .. } => assert!(reason.contains("`quota`"), "{reason}"),
        event => panic!("{event}"),
    }
    let outcome = tokio::time::timeout(PATIENCE, world.stream.ended()).await.unwrap();
    assert_eq!(outcome.ending, Ending::Refused);
    assert!(outcome.reason.contains("`quota`"), "{outcome}");
    assert_eq!(std::fs::read_to_string(world.stored()).unwrap(), "one\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_no_policy_is_for_waits_until_one_is() {
    let world = World::new("[[policy]]\nfile = \"a.wasm\"\nsites = \"other\"\n");
    world.write("one\n");
    world.rules("[[policy]]\nfile = \"a.wasm\"\nsites = [\"other\", \"site\"]\n");
    let stored = world.stored();
    assert_eq!(world.stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(std::fs::read_to_string(stored).unwrap(), "one\n");
}

fn marked(mark: &str, fail: &str) -> String {
    format!("strikes = 2\n[[policy]]\nfile = \"marking.wasm\"\nsettings = {{ mark = \"{mark}\", fail = \"{fail}\" }}\n")
}

/// What the failed step had staged is not stored: the old policy does the same step.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_that_fails_in_its_first_step_leaves_that_step_to_the_old_one() {
    let mut world = World::new("[[policy]]\nfile = \"a.wasm\"\n");
    world.write_and_wait("one\n", "one\n").await;
    world.rules(&marked("!", "data"));
    let server = world.server.clone();
    tokio::task::spawn_blocking(move || server.reload_policies().unwrap()).await.unwrap();
    world.write_and_wait("two\n", "one\ntwo\n").await;
    match world.event().await {
        PolicyEvent::NotSwapped { to, reason, .. } => {
            assert_eq!(to, Digest::of(marking()));
            assert!(reason.contains("the policy was stopped"), "{reason}");
        }
        event => panic!("{event}"),
    }
    assert_eq!(world.stream.finish(PATIENCE).await.ending, Ending::Complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receivers_policy_that_fails_again_and_again_is_rolled_back_for_that_log() {
    let mut world = World::new("strikes = 2\n[[policy]]\nfile = \"a.wasm\"\n");
    world.write_and_wait("one\n", "one\n").await;
    world.rules(&marked("!", "poison"));
    let server = world.server.clone();
    tokio::task::spawn_blocking(move || server.reload_policies().unwrap()).await.unwrap();
    world.write_and_wait("two\n", "one\n!two\n").await;
    assert!(matches!(world.event().await, PolicyEvent::Swapped { .. }));
    world.write_and_wait("poison\n", "one\n!two\npoison\n").await;
    match world.event().await {
        PolicyEvent::RolledBack { from, to, .. } => {
            assert_eq!((from, to), (Digest::of(marking()), Digest::of(&variant(RECEIVER, b'a'))));
        }
        event => panic!("{event}"),
    }
    assert_eq!(world.stream.finish(PATIENCE).await.ending, Ending::Complete);
}
