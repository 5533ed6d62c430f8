//! Versions of the contract: what was built against one goes on running, and a version that was published never changes.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fedtail::policy::set::{Origin, PolicyEvent};
use fedtail::policy::{Component, Digest, Engine, Kind};
use fedtail::site::Ending;
use tokio::sync::watch;

use crate::stage::{PATIENCE, Stage, append, ended, owned};

/// The digests of published versions of the contract. A version that is here never changes: what is needed becomes a new
/// folder, and a line here when it is published. See `docs/policies.md`.
const PUBLISHED: &[(&str, &str)] =
    &[("0.1.0", "sha256:ffabd919d105547047fa0199708f43f7d0e56fc6bb88ca283648e073c2c2f4fe")];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// A component that was built against 0.1.0, and is never built anew.
fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures/0.1.0").join(name)
}

#[test]
fn a_published_version_of_the_contract_never_changes() {
    let mut found = Vec::new();
    for folder in fs::read_dir(root().join("wit")).unwrap() {
        let folder = folder.unwrap();
        let version = folder.file_name().into_string().unwrap();
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(files, ["policy.wit"], "wit/{version} has one file");
        let text = fs::read(folder.path().join("policy.wit")).unwrap();
        found.push((version, Digest::of(&text).to_string()));
    }
    found.sort();
    let published: Vec<_> =
        PUBLISHED.iter().map(|(version, digest)| (version.to_string(), digest.to_string())).collect();
    assert_eq!(found, published, "put a change into a folder of its own: guests are built against this one");
}

/// Fixtures are as small as they were, and are there for every published version.
#[test]
fn every_published_version_has_its_fixtures() {
    for (version, _) in PUBLISHED {
        for name in ["streamer.wasm", "stateful-streamer.wasm", "receiver.wasm"] {
            let file = root().join("tests/fixtures").join(version).join(name);
            let size = fs::metadata(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display())).len();
            assert!(size < 100_000, "{} has {size} bytes", file.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_streamer_that_was_built_against_0_1_0_runs() {
    let stage = Stage::new();
    let site = stage.site("a", Some((&fixture("streamer.wasm"), &[("level", "ERROR")])));
    let log = stage.log("a", "log.txt");
    append(&log, "2026-11-24 03:31:44,470 - Client - INFO - round 1\n");
    let stream = stage.stream(&site, &log);
    append(&log, "2026-11-24 03:31:45,001 - Client - ERROR - it broke\nTraceback\n");
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "2026-11-24 03:31:45,001 - Client - ERROR - it broke\nTraceback\n");
}

/// Its state goes from one to the next, while the log is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_streamer_with_state_that_was_built_against_0_1_0_hands_it_over() {
    let stage = Stage::new();
    let log = stage.log("a", "log.txt");
    let policies = log.with_file_name("policies");
    fs::create_dir(&policies).unwrap();
    fs::copy(fixture("stateful-streamer.wasm"), policies.join("p.wasm")).unwrap();
    let rules = |tag: &str| {
        let text = format!("[[policy]]\nfile = \"p.wasm\"\nsettings = {{ tag = \"{tag}\" }}\n");
        fs::write(policies.join("policies.toml.part"), text).unwrap();
        fs::rename(policies.join("policies.toml.part"), policies.join("policies.toml")).unwrap();
    };
    rules("a");
    let swapped = Arc::new(watch::Sender::new(false));
    let told = swapped.clone();
    let site = stage.site_with("a", None, |site| {
        site.policies(Origin::at(&policies)).on_policy(move |event| {
            if matches!(event, PolicyEvent::Swapped { .. }) {
                told.send_replace(true);
            }
        })
    });
    let stream = stage.stream(&site, &log);
    append(&log, "one\ntwo\n");
    stage.has("a", "log.txt", "1a:one\n2a:two\n").await;
    rules("b");
    let mut is_swapped = swapped.subscribe();
    tokio::time::timeout(PATIENCE, is_swapped.wait_for(|swapped| *swapped)).await.expect("it is swapped").unwrap();
    append(&log, "three\n");
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "1a:one\n2a:two\n3b:three\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_built_against_0_1_0_runs() {
    let stage = Stage::with(|server| server.policy(fixture("receiver.wasm"), owned(&[("logs", "1")])));
    let site = stage.site("a", None);
    let (first, second) = (stage.log("a", "1.txt"), stage.log("a", "2.txt"));
    append(&first, "a line\n");
    append(&second, "a line\n");
    let outcome = stage.stream(&site, &first).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "1.txt"), "a line\n");
    let outcome = ended(&mut stage.stream(&site, &second)).await;
    assert_eq!(outcome.ending, Ending::Refused, "{outcome}");
    assert!(outcome.reason.contains("the quota of 1 logs for site a and job job is used up"), "{outcome}");
}

/// Both sides; a linker alone would take a patch version silently, since it counts as compatible.
#[test]
fn a_component_of_a_newer_version_is_refused_with_both_versions_named() {
    let engine = Engine::new(None).unwrap();
    let file = Path::new("newer.wasm");
    for (name, kind) in [("streamer.wasm", Kind::Streamer), ("receiver.wasm", Kind::Receiver)] {
        let bytes = fs::read(fixture(name)).unwrap();
        Component::new(&engine, &bytes, file, kind).unwrap();
        for version in ["0.1.1", "0.2.0", "1.0.0"] {
            let newer = crate::author::of_version(&bytes, version);
            let words = Component::new(&engine, &newer, file, kind).err().expect("it is refused").to_string();
            let both = format!("it is built for version {version} of the contract, and this host serves 0.1.0");
            assert!(words.contains(&both), "{name} for {version}: {words}");
        }
    }
}
