use super::*;
use crate::policy::testing::RECEIVER;
use crate::policy::trust::{SecretKey, signature_file};
use crate::policy::{Applicant, Component, Kind};

/// Reads the policies again, and expects this to be said of them.
async fn refused(world: &mut World, words: &[&str]) {
    let site = world.site.clone();
    let error = tokio::task::spawn_blocking(move || site.reload_policies()).await.unwrap().unwrap_err().to_string();
    for part in words {
        assert!(error.contains(part), "{part:?} is not in: {error}");
    }
    let told = loop {
        match world.event().await {
            PolicyEvent::Refused { reason } if reason == error => break reason,
            PolicyEvent::Refused { .. } => {}
            event => panic!("{event}"),
        }
    };
    assert_eq!(told, error);
}

/// Stage, file, reason, what to do; and the stream goes on as if nothing had been tried.
#[tokio::test(flavor = "multi_thread")]
async fn each_stage_has_an_error_of_its_own_and_changes_nothing() {
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let stream = world.stream();
    let key = SecretKey::generate().unwrap();
    let file = world.policy_file("new.wasm");

    world.rules("strikes = 0\n");
    refused(&mut world, &["policies.toml", "cannot be used", "strikes is 0", "at least 1"]).await;

    world.rules(&rule("new.wasm", "b", ""));
    refused(&mut world, &["new.wasm", "cannot be read", "No such file"]).await;

    replace(&file, numbering());
    world.rules(&format!("{}digest = \"{}\"\n", rule("new.wasm", "b", ""), digest(b'a')));
    refused(&mut world, &["new.wasm", "not the one that is pinned", &Digest::of(numbering()).to_string(), "restore"])
        .await;

    world.rules(&format!("trusted-keys = [\"{}\"]\n{}", key.public(), rule("new.wasm", "b", "")));
    refused(&mut world, &["new.wasm", "is not trusted", "it is not signed", "fedtail policy sign"]).await;
    replace(&signature_file(&file), SecretKey::generate().unwrap().sign(numbering()).to_string());
    refused(&mut world, &["new.wasm", "is not trusted", "none of the trusted keys"]).await;
    replace(&signature_file(&file), key.sign(b"another component").to_string());
    refused(&mut world, &["new.wasm", "is not trusted", "not a signature of these bytes", "sign it again"]).await;

    world.rules(&rule("new.wasm", "b", ""));
    replace(&file, &numbering()[..numbering().len() / 2]);
    refused(&mut world, &["new.wasm", "is not a WebAssembly component"]).await;

    replace(&file, RECEIVER);
    refused(&mut world, &["new.wasm", "does not fit the contract", "it is a receiver policy"]).await;

    world.write("one\n");
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), "1a:one\n");
}

struct Never;

impl Battery for Never {
    fn run(&self, _: &Engine, component: &Component, kind: Kind, applicant: &Applicant) -> Result<(), String> {
        assert_eq!((kind, component.digest()), (Kind::Streamer, digest(b'a')));
        Err(format!("it lost a line after a rotation, with {} settings", applicant.custom.len()))
    }
}

#[test]
fn what_fails_in_the_simulation_is_not_let_in() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("a.wasm");
    replace(&file, variant(numbering(), b'a'));
    let admission = Admission::new(Engine::new(None).unwrap(), Some(Arc::new(Never)));
    let loaded = SitePolicies::load(Origin::File(file, vec![("tag".into(), "a".into())]), admission, Arc::new(|_| {}));
    let error = loaded.err().unwrap().to_string();
    assert!(
        error.contains("a.wasm failed in the simulation: it lost a line after a rotation, with 1 settings"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_trusted_key_signed_takes_over() {
    let key = SecretKey::generate().unwrap();
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    let signature = key.sign(&variant(numbering(), b'b'));
    replace(&signature_file(&world.policy_file("b.wasm")), signature.to_string());
    world.rules(&format!("trusted-keys = [\"{}\"]\n{}", key.public(), rule("b.wasm", "b", "")));
    assert!(matches!(world.stream_event().await, PolicyEvent::Swapped { .. }));
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
}

/// A component that is written in pieces is read once, when it is whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_in_pieces_is_read_once() {
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    let component = variant(numbering(), b'n');
    let file = std::fs::File::create(world.policy_file("a.wasm")).unwrap();
    for piece in component.chunks(component.len() / 8) {
        (&file).write_all(piece).unwrap();
        // Not waiting for anything: this is how a slow writer writes.
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    match world.event().await {
        PolicyEvent::Loaded { policies } => assert_eq!(policies, [("a.wasm".to_owned(), digest(b'n'))]),
        event => panic!("{event}"),
    }
    assert!(matches!(world.event().await, PolicyEvent::Swapped { .. }));
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert!(world.events.try_recv().is_err(), "one reload");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_broken_when_it_has_settled_is_told_and_changes_nothing() {
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let stream = world.stream();
    replace(&world.policy_file("a.wasm"), &numbering()[..1000]);
    match world.event().await {
        PolicyEvent::Refused { reason } => {
            assert!(reason.contains("a.wasm is not a WebAssembly component"), "{reason}")
        }
        event => panic!("{event}"),
    }
    world.write("one\n");
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), "1a:one\n");
}
