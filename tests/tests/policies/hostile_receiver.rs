//! A receiver policy that misbehaves for some logs of a server, and stores the others.

use std::time::Duration;

use fedtail::site::Ending;

use crate::stage::{PATIENCE, Stage, append, guest};

/// What a step may take here.
const STEP_TIME: Duration = Duration::from_millis(300);

fn stage() -> Stage {
    let policy = guest("fedtail-guest-hostile-receiver");
    Stage::with(|server| server.policy(policy, Vec::new()).step_time(STEP_TIME))
}

/// Nothing that a step staged is stored when the step fails; the site waits and tries again; other logs of the same
/// site, over the same connection, are stored meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_step_that_fails_stores_nothing_and_touches_no_other_log() {
    let stage = stage();
    let site = stage.site("a", None);
    let names = [
        "trap in accept",
        "loop in accept",
        "append in accept",
        "loop",
        "trap",
        "trap behind append",
        "an error behind append",
        "swallow",
        "append without end",
    ];
    let mut hostile = Vec::new();
    for name in names {
        let log = stage.log("a", name);
        append(&log, "not to be stored\n");
        hostile.push((name, stage.stream(&site, &log)));
    }
    let log = stage.log("a", "log.txt");
    append(&log, "all is well\n");
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "all is well\n");
    for (name, stream) in hostile {
        let outcome = stream.finish(Duration::from_secs(1)).await;
        assert_eq!(outcome.ending, Ending::TimedOut, "{name}: {outcome}");
        assert_eq!(stage.stored("a", name), "", "{name}");
    }
}

/// A receiver that would close a stream at once is refused by the site, which would be closed for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_timeout_of_nothing_is_refused_by_the_site() {
    let stage = stage();
    let log = stage.log("a", "a time of nothing");
    append(&log, "a\n");
    let mut stream = stage.stream(&stage.site("a", None), &log);
    let outcome = crate::stage::ended(&mut stream).await;
    assert_eq!(outcome.ending, Ending::Refused, "{outcome}");
    assert!(outcome.reason.contains("set a shorter liveness interval"), "{outcome}");
}

/// The end is recorded before the policy is asked what becomes of the log, so what it does then changes nothing: the log
/// stays, whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_in_its_last_call_changes_neither_the_log_nor_its_end() {
    for name in ["trap in finish", "loop in finish", "append in finish"] {
        let stage = stage();
        let log = stage.log("a", name);
        append(&log, "whole\n");
        let outcome = stage.stream(&stage.site("a", None), &log).finish(PATIENCE).await;
        assert_eq!(outcome.ending, Ending::Complete, "{name}: {outcome}");
        assert_eq!(stage.stored("a", name), "whole\n", "{name}");
        let told = format!("job/a/{name} complete, 6 bytes");
        stage.has_ended(&told).await;
    }
}

/// Chunks that an instance keeps are bounded; the stream goes on with a fresh one, and every byte is stored once.
#[tokio::test(flavor = "multi_thread")]
async fn chunks_that_are_kept_cost_the_instance_and_no_byte() {
    let stage = stage();
    let log = stage.log("a", "keep all chunks");
    let text = "a line of some length that is repeated\n".repeat(400_000);
    append(&log, &text);
    let outcome = stage.stream(&stage.site("a", None), &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert!(stage.stored("a", "keep all chunks") == text, "what is stored is not the log");
}
