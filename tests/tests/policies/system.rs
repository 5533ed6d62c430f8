//! Streamer policies with the system interface of a language behind which there is nothing.

use fedtail::site::Ending;

use crate::raw::{self, Raw};
use crate::stage::{PATIENCE, Stage, append, ended};

const WAITS: &[(&str, &str)] = &[
    ("wasi:io/poll@0.2.9", "package wasi:io@0.2.9; interface poll { resource pollable { block: func(); } }"),
    (
        "wasi:clocks/monotonic-clock@0.2.9",
        "package wasi:clocks@0.2.9; interface monotonic-clock {
            use wasi:io/poll@0.2.9.{pollable};
            subscribe-duration: func(when: u64) -> pollable;
        }",
    ),
];

const IMPORTS: &str = r#"
    (import "wasi:io/poll@0.2.9" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:clocks/monotonic-clock@0.2.9" "subscribe-duration" (func $timer (param i64) (result i32)))"#;

/// Sleeping is a host call, which the clock of steps does not end: it is refused at once, and the stream beside goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_sleeps_is_stopped_at_once() {
    let policy = raw::component(
        "sleeping",
        Raw {
            imports: IMPORTS,
            beside: WAITS,
            // A quarter of an hour.
            step: "(call $block (call $timer (i64.const 900000000000)))",
            ..Raw::default()
        },
    );
    let stage = Stage::new();
    let (log, beside) = (stage.log("a", "log.txt"), stage.log("b", "log.txt"));
    append(&log, "a line\n");
    append(&beside, "a line\n");
    let good = stage.stream(&stage.site("b", None), &beside);
    let outcome = ended(&mut stage.stream(&stage.site("a", Some((&policy, &[]))), &log)).await;
    assert_eq!(outcome.ending, Ending::Failed, "{outcome}");
    assert!(outcome.reason.contains("it tried to sleep or to wait; a policy returns what it waits for"), "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "");
    let outcome = good.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
}
