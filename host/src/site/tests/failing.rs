use super::*;
use crate::policy::testing::STREAMER;

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_again_and_again_is_rolled_back_to_the_last_good_one() {
    let mut world = World::new(&format!("strikes = 2\n{}", rule("a.wasm", "a", ""))).await;
    let stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    world.rules(&format!("strikes = 2\n{}", rule("b.wasm", "b", "line")));
    assert!(matches!(world.stream_event().await, PolicyEvent::Swapped { .. }));
    world.write("two\n");
    world.until_stored("1a:one\n2b:two\n").await;
    world.write("poison\n");
    match world.stream_event().await {
        PolicyEvent::RolledBack { from, to, reason, .. } => {
            assert_eq!((from, to), (digest(b'b'), digest(b'a')));
            assert!(reason.contains("the policy was stopped"), "{reason}");
        }
        event => panic!("{event}"),
    }
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    // A fresh instance counts from one: the state of one that trapped is not trusted.
    assert_eq!(world.stored(), "1a:one\n2b:two\n1a:poison\n");
}

/// A stream that came back from a policy does not try it again when other rules are read.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_stays_so_until_the_policy_is_another_one() {
    let mut world = World::new(&format!("strikes = 1\n{}", rule("a.wasm", "a", ""))).await;
    let stream = world.stream();
    world.write("one\n");
    world.until_stored("1a:one\n").await;
    world.rules(&format!("strikes = 1\n{}", rule("b.wasm", "b", "line")));
    assert!(matches!(world.stream_event().await, PolicyEvent::Swapped { .. }));
    world.write("poison\n");
    assert!(matches!(world.stream_event().await, PolicyEvent::RolledBack { .. }));
    world.until_stored("1a:one\n1a:poison\n").await;
    world.rules(&format!("strikes = 3\n{}", rule("b.wasm", "b", "line")));
    assert!(matches!(world.event().await, PolicyEvent::Loaded { .. }));
    world.rules(&format!("strikes = 3\n{}", rule("b.wasm", "c", "line")));
    assert!(matches!(world.stream_event().await, PolicyEvent::Swapped { .. }));
    world.write("two\n");
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), "1a:one\n1a:poison\n2c:two\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_good_policy_left_nothing_leaves_the_site() {
    let mut world = World::new(&format!("strikes = 2\n{}", rule("a.wasm", "a", "line"))).await;
    let mut stream = world.stream();
    world.write("poison\n");
    let outcome = tokio::time::timeout(PATIENCE, stream.ended()).await.unwrap();
    assert_eq!(outcome.ending, Ending::Failed);
    assert!(outcome.reason.contains("nothing more is sent, after 2 failures in a row"), "{outcome}");
    assert!(matches!(world.stream_event().await, PolicyEvent::Closed { .. }));
    assert_eq!(world.stored(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_good_policy_left_the_built_in_one_goes_on_where_the_site_says_so() {
    let rules = format!("strikes = 1\non-policy-failure = \"default\"\n{}", rule("a.wasm", "a", "line"));
    let mut world = World::new(&rules).await;
    let stream = world.stream();
    world.write("poison\n");
    match world.stream_event().await {
        PolicyEvent::RolledBack { to, .. } => assert_eq!(to, Digest::of(STREAMER)),
        event => panic!("{event}"),
    }
    assert_eq!(stream.finish(PATIENCE).await.ending, Ending::Complete);
    assert_eq!(world.stored(), "poison\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_is_not_rolled_back_to_one_that_the_pins_of_today_exclude() {
    let pinned = |mark, fail| {
        let rule = rule(if mark == b'a' { "a.wasm" } else { "b.wasm" }, "x", fail);
        format!("strikes = 1\n{rule}digest = \"{}\"\n", digest(mark))
    };
    let mut world = World::new(&pinned(b'a', "")).await;
    let mut stream = world.stream();
    world.write("one\n");
    world.until_stored("1x:one\n").await;
    world.rules(&pinned(b'b', "line"));
    assert!(matches!(world.stream_event().await, PolicyEvent::Swapped { .. }));
    world.write("poison\n");
    assert!(matches!(world.stream_event().await, PolicyEvent::Closed { .. }));
    let outcome = tokio::time::timeout(PATIENCE, stream.ended()).await.unwrap();
    assert_eq!(outcome.ending, Ending::Failed);
    assert_eq!(world.stored(), "1x:one\n");
}
