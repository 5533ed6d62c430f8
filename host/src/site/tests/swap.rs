use tokio_stream::StreamExt;

use super::*;
use crate::audit::{Entry, verify};
use crate::transport::{Connecting, Connection};

/// The number of lines goes on, and the store knows which policy sent what.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_takes_over_between_two_lines_with_its_predecessors_state() {
    let mut world = World::audited(&rule("a.wasm", "a", ""), true).await;
    let stream = world.stream();
    world.write("one\ntwo\n");
    world.until_stored("1a:one\n2a:two\n").await;
    world.rules(&rule("b.wasm", "b", ""));
    match world.stream_event().await {
        PolicyEvent::Swapped { stream, from, to, .. } => {
            assert_eq!((stream.as_str(), from, to), ("job/log", digest(b'a'), digest(b'b')));
        }
        event => panic!("{event}"),
    }
    world.write("three\n");
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(world.stored(), "1a:one\n2a:two\n3b:three\n");
    assert_eq!(world.ranges(), [(0, digest(b'a').to_string()), (14, digest(b'b').to_string())]);

    world.site.inner.audit.as_ref().unwrap().flush();
    let audit = world.directory.path().join("audit");
    verify(&audit, None).unwrap();
    let text = std::fs::read_to_string(&audit).unwrap();
    let entries: Vec<Entry> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sent: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry {
            Entry::Sent { from, to, policy, acknowledged: true, source: Some(_), .. } => {
                Some((*from, *to, policy.clone()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(sent, [(0, 14, digest(b'a').to_string()), (14, 23, digest(b'b').to_string())], "{text}");
    assert!(entries.iter().any(|entry| matches!(entry, Entry::Swapped { .. })), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn other_settings_for_the_same_component_take_over_too() {
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    world.rules(&rule("a.wasm", "A", ""));
    assert!(matches!(world.stream_event().await, PolicyEvent::Swapped { .. }));
    world.write("two\n");
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), "1a:one\n2A:two\n");
}

/// "A failed swap changes nothing": whatever the successor fails at, not one byte of it is stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_does_not_begin_well_leaves_everything_as_it_was() {
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let stream = world.stream();
    world.write("one\n");
    let mut stored = "1a:one\n".to_owned();
    world.until_stored(&stored).await;
    for (number, (fail, words)) in
        [("start", "fail at its start"), ("load", "when it loads"), ("connected", "at its first step")]
            .iter()
            .enumerate()
    {
        world.rules(&rule("b.wasm", "b", fail));
        match world.stream_event().await {
            PolicyEvent::NotSwapped { from, to, reason, .. } => {
                assert_eq!((from, to), (digest(b'a'), digest(b'b')));
                assert!(reason.contains(words), "{reason}");
            }
            event => panic!("{event}"),
        }
        world.write("more\n");
        stored += &format!("{}a:more\n", number + 2);
        world.until_stored(&stored).await;
    }
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), stored);
    assert_eq!(world.ranges(), [(0, digest(b'a').to_string())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_predecessor_that_traps_while_it_saves_is_followed_without_its_state() {
    let mut world = World::new(&rule("a.wasm", "a", "save")).await;
    let stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    world.rules(&rule("b.wasm", "b", ""));
    assert!(matches!(world.stream_event().await, PolicyEvent::Swapped { .. }));
    world.write("two\n");
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), "1a:one\n1b:two\n");
}

/// A stop that comes while the policy is being replaced is told to the successor.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_stops_while_its_policy_changes_still_sends_everything() {
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let stream = world.stream();
    let lines: String = (0..2000).map(|number| format!("line {number}\n")).collect();
    world.write(&lines);
    world.rules(&rule("b.wasm", "b", ""));
    let reloading = world.site.clone();
    tokio::task::spawn_blocking(move || reloading.reload_policies().unwrap()).await.unwrap();
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    let stored = world.stored();
    for (number, line) in stored.lines().enumerate() {
        let (tag, text) = line.split_once(':').unwrap();
        assert_eq!(
            (&tag[..tag.len() - 1], text),
            ((number + 1).to_string().as_str(), format!("line {number}").as_str())
        );
    }
    assert_eq!(stored.lines().count(), 2000);
    let _ = world.event().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_taken_away_ends_its_streams_in_words() {
    let mut world = World::new(&rule("a.wasm", "a", "")).await;
    let mut stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    world.rules("[[policy]]\nfile = \"a.wasm\"\njobs = \"other\"\n");
    let outcome = tokio::time::timeout(PATIENCE, stream.ended()).await.unwrap();
    assert_eq!(outcome.ending, Ending::Failed);
    assert!(outcome.reason.contains("no policy in") && outcome.reason.contains("job/log"), "{outcome}");
    assert!(matches!(world.stream_event().await, PolicyEvent::Closed { .. }));
    let refused = world.site.stream(LogFile::new(world.log(), JobName::new("job").unwrap())).err().unwrap();
    assert!(refused.to_string().contains("no policy in"), "{refused}");
}

/// A connection that brings what the server answers only while this is true.
struct Gated(InProcess, watch::Receiver<bool>);

impl Transport for Gated {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let Connection { outgoing, incoming } = self.0.connect().await?;
            let gate = self.1.clone();
            let incoming = incoming.then(move |answer| {
                let mut gate = gate.clone();
                async move {
                    gate.wait_for(|open| *open).await.unwrap();
                    answer
                }
            });
            Ok(Connection { outgoing, incoming: Box::pin(incoming) })
        })
    }

    fn target(&self) -> String {
        "behind a gate".into()
    }
}

/// A policy stands still while it is replaced, so it is replaced in a moment in which that takes no time: not while what it has
/// sent is on its way to the server.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_replaced_when_nothing_of_its_stream_is_on_its_way() {
    const WITHHELD: Duration = Duration::from_millis(400);
    let (gate, answers) = watch::channel(true);
    let behind = |server: &Server| Gated(InProcess::new(server, SiteName::new("site").unwrap()), answers);
    let mut world = World::over(behind, &rule("a.wasm", "a", ""), false).await;
    let stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    gate.send_replace(false);
    world.write("two\n");
    world.until_stored("1a:one\n2a:two\n").await;
    world.rules(&rule("b.wasm", "b", ""));
    assert!(matches!(world.event().await, PolicyEvent::Loaded { .. }));
    // The stream has another policy, and no acknowledgement: for so long, which is what would be seen.
    tokio::time::sleep(WITHHELD).await;
    gate.send_replace(true);
    match world.stream_event().await {
        PolicyEvent::Swapped { pause, .. } => assert!(pause < WITHHELD / 2, "it stood still for {pause:?}"),
        event => panic!("{event}"),
    }
    world.write("three\n");
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), "1a:one\n2a:two\n3b:three\n");
}
