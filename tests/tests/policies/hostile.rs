//! Streamer policies that misbehave. Each is run at a site of a server to which another site streams with the built-in
//! policy: that stream is complete, and what the server has of the hostile one is a beginning of its log, or nothing.

use std::path::Path;
use std::time::Duration;

use fedtail::site::{Ending, Outcome};

use crate::raw::{self, Raw};
use crate::stage::{PATIENCE, Settings, Stage, append, ended, guest};

/// What a step may take here: enough for every step that ends by itself.
const STEP_TIME: Duration = Duration::from_millis(1_500);

/// How a policy's stream ended, and what the server has of it.
struct End {
    outcome: Outcome,
    stored: String,
    log: String,
}

/// Streams a log with a policy, beside one that is streamed with the built-in policy.
async fn run(policy: &Path, settings: Settings<'_>, rotated: bool) -> End {
    let stage = Stage::new();
    let (log, beside) = (stage.log("hostile", "log.txt"), stage.log("beside", "log.txt"));
    let mut text = "the log of a job\n".repeat(1_000);
    append(&log, &text);
    if rotated {
        std::fs::rename(&log, log.with_extension("txt.1")).unwrap();
        append(&log, "the next file\n");
        text.push_str("the next file\n");
    }
    let good = stage.stream(&stage.site("beside", None), &beside);
    append(&beside, "before\n");
    stage.has("beside", "log.txt", "before\n").await;

    let site = stage.site_with("hostile", Some((policy, settings)), |site| site.step_time(STEP_TIME));
    let outcome = ended(&mut stage.stream(&site, &log)).await;

    append(&beside, "after\n");
    let unharmed = good.finish(PATIENCE).await;
    assert_eq!(unharmed.ending, Ending::Complete, "{unharmed}");
    assert_eq!(stage.stored("beside", "log.txt"), "before\nafter\n");
    End { outcome, stored: stage.stored("hostile", "log.txt"), log: text }
}

/// Runs the hostile guest; its stream fails with these words, and nothing wrong is at the server.
async fn fails(does: &str, words: &str) {
    let rotated = does == "send from the file that was left";
    let end = run(&guest("fedtail-guest-hostile"), &[("does", does)], rotated).await;
    end.failed(does, words);
}

impl End {
    fn failed(&self, what: &str, words: &str) {
        let End { outcome, stored, log } = self;
        assert_eq!(outcome.ending, Ending::Failed, "{what}: {outcome}");
        assert!(outcome.reason.contains(words), "{what}: {outcome}");
        assert!(!outcome.reason.chars().any(char::is_control), "{what}: words of a guest are shown escaped");
        assert!(outcome.reason.len() < 2_000, "{what}: words of a guest are cut");
        assert!(log.starts_with(stored.as_str()), "{what}: the server has {stored:?}");
    }
}

macro_rules! fail {
    ($($name:ident: $does:literal => $words:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            fails($does, $words).await;
        })*
    };
}

fail! {
    an_endless_loop_is_ended_by_the_clock: "loop" => "a step took longer than it may";
    an_endless_loop_in_start_is_ended_by_the_clock: "loop in start" => "a step took longer than it may";
    a_loop_around_host_calls_is_ended_by_their_number: "loop around host calls" => "more than 10000 host calls in one step";
    a_loop_around_errors_of_the_host_is_ended_too: "loop around errors" => "the policy was stopped";
    a_trap_in_start_ends_the_instance: "trap in start" => "unreachable";
    a_trap_in_a_step_ends_the_instance: "trap" => "unreachable";
    an_error_in_start_is_shown_escaped: "an error in start" => "these settings \\u{1b}[31mwill\\nnever do";
    an_error_of_a_step_is_cut_and_escaped: "an error that is long" => "\\u{7}x\\u{7}x";
    a_stack_in_memory_that_grows_without_end_is_a_trap: "overflow the stack" => "out of bounds memory access";
    memory_ends_at_its_limit: "eat memory" => "unreachable";
    handles_end_at_their_limit: "leak handles" => "the policy was stopped";
    a_slice_pins_its_whole_chunk: "pin bytes" => "its chunks hold more than 8388608 bytes";
    a_chunk_is_no_larger_than_the_limit: "a chunk that is too large" => "a chunk of more than 262144 bytes";
    a_list_that_is_huge_does_not_get_across: "a list that is too large" => "the policy was stopped";
    a_message_that_is_huge_does_not_get_across: "a message that is too large" => "the policy was stopped";
    messages_without_end_are_ended_by_the_number_of_calls: "too many messages" => "more than 10000 host calls in one step";
    // By the number of calls, or on a slow machine by the clock.
    a_million_tiny_sends_are_ended: "a million tiny sends" => "the policy was stopped";
    a_range_is_no_larger_than_the_limit: "a range that is too large" => "TooLarge(4194304)";
    gaps_that_are_made_up_end_at_their_limit: "too many gaps" => "WindowFull";
    a_slice_out_of_range_is_a_trap: "a slice out of range" => "from 2 to 4, which is not within it";
    a_slice_that_is_turned_round_is_a_trap: "a slice that is turned round" => "from 2 to 1, which is not within it";
    a_position_does_not_go_back: "go backwards" => "2 lies before 4";
    a_position_is_within_what_was_read: "go beyond what was read" => "BadPosition";
    nobody_skips_what_was_not_read: "skip to the end of time" => "BadPosition";
    a_file_is_not_entered_without_a_byte_of_it: "claim nothing" => "BadPosition";
    reading_follows_what_was_read: "read beyond what was read" => "the policy gave up";
    reading_at_the_end_of_time_is_an_error: "read from the end of time" => "the policy gave up";
    a_file_of_an_earlier_resume_is_stale: "send from a file of before" => "BadPosition";
    a_file_that_was_left_takes_nothing_more: "send from the file that was left" => "BadPosition";
}

/// What was read of a file ahead of what is sent is kept in memory, so it is bounded.
#[tokio::test(flavor = "multi_thread")]
async fn reading_ahead_without_sending_is_bounded() {
    let stage = Stage::new();
    let log = stage.log("a", "log.txt");
    std::fs::write(&log, vec![b'x'; 64 << 20]).unwrap();
    let site = stage.site("a", Some((&guest("fedtail-guest-hostile"), &[("does", "read ahead without end")])));
    let outcome = ended(&mut stage.stream(&site, &log)).await;
    assert_eq!(outcome.ending, Ending::Failed, "{outcome}");
    assert!(outcome.reason.contains("too much was read ahead of what is sent"), "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "");
}

/// A policy that sends nothing and says that all is sent ends its stream; it can't make the server believe that it has
/// more than it has.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_finishes_at_once_leaves_nothing_at_the_server() {
    let end = run(&guest("fedtail-guest-hostile"), &[("does", "finish at once")], false).await;
    assert_eq!((end.outcome.stored, end.stored.as_str()), (0, ""), "{}", end.outcome);
}

/// A policy that never waits, or for ever, does not keep its stream from being given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_never_sends_is_given_up_when_the_time_for_it_is_over() {
    for does in ["wait for ever", "turn without end"] {
        let stage = Stage::new();
        let log = stage.log("a", "log.txt");
        append(&log, "a\n");
        let site = stage.site("a", Some((&guest("fedtail-guest-hostile"), &[("does", does)])));
        let outcome = stage.stream(&site, &log).finish(Duration::from_millis(500)).await;
        assert_eq!(outcome.ending, Ending::TimedOut, "{does}: {outcome}");
        assert_eq!(stage.stored("a", "log.txt"), "");
    }
}

/// The guest is honest without the setting: what the others show is not due to something else in it.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_setting_the_hostile_guest_forwards() {
    let stage = Stage::new();
    let log = stage.log("a", "log.txt");
    append(&log, "a\n");
    let site = stage.site("a", Some((&guest("fedtail-guest-hostile"), &[])));
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "a\n");
}

/// No name in the log's directory leads to another file: not a link, not a device, not a directory.
#[tokio::test(flavor = "multi_thread")]
async fn names_beside_the_log_give_no_other_file() {
    let stage = Stage::new();
    let (log, secret) = (stage.log("a", "log.txt"), stage.log("elsewhere", "secret.txt"));
    append(&secret, "the secret\n");
    append(&log, "the log\n");
    for name in ["log.txt.1", "log.txt-20261124", "log.2.txt"] {
        std::os::unix::fs::symlink(&secret, log.with_file_name(name)).unwrap();
    }
    std::os::unix::fs::symlink("/dev/zero", log.with_file_name("log.txt.3")).unwrap();
    std::fs::create_dir(log.with_file_name("log.txt.4")).unwrap();
    let site = stage.site("a", Some((&guest("fedtail-guest-hostile"), &[])));
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "the log\n");
}

macro_rules! raw_fails {
    ($($name:ident: $raw:expr => $words:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() {
            let end = run(&raw::component(stringify!($name), $raw), &[], false).await;
            end.failed(stringify!($name), $words);
        })*
    };
}

raw_fails! {
    a_message_that_is_no_utf8_is_a_trap:
        Raw { step: r#"(call $say (i32.const 3) (i32.const 512) (i32.const 2))"#, ..Raw::default() } => "utf-8";
    a_message_from_outside_of_the_memory_is_a_trap:
        Raw { step: r#"(call $say (i32.const 3) (i32.const 65530) (i32.const 100))"#, ..Raw::default() } => "out of bounds";
    a_level_that_there_is_not_is_a_trap:
        Raw { step: r#"(call $say (i32.const 77) (i32.const 512) (i32.const 0))"#, ..Raw::default() } => "the policy was stopped";
    a_handle_that_was_dropped_is_no_handle:
        Raw { step: r#"
            (local.set $chunk (call $chunk (i32.const 512) (i32.const 2)))
            (call $drop-chunk (local.get $chunk))
            (drop (call $chunk-length (local.get $chunk)))"#, ..Raw::default() } => "the policy was stopped";
    a_handle_is_dropped_once:
        Raw { step: r#"
            (local.set $chunk (call $chunk (i32.const 512) (i32.const 2)))
            (call $drop-chunk (local.get $chunk))
            (call $drop-chunk (local.get $chunk))"#, ..Raw::default() } => "the policy was stopped";
    a_handle_that_is_made_up_is_no_handle:
        Raw { step: r#"(drop (call $chunk-length (i32.const 7)))"#, ..Raw::default() } => "the policy was stopped";
    the_host_is_not_called_while_it_gives_something:
        Raw {
            step: r#"
                (local.set $chunk (call $chunk (i32.const 512) (i32.const 2)))
                (call $chunk-bytes (local.get $chunk) (i32.const 1024))"#,
            realloc: r#"(call $say (i32.const 3) (i32.const 512) (i32.const 0))"#,
            ..Raw::default()
        } => "the policy was stopped";
    memory_that_is_given_outside_of_it_is_a_trap:
        Raw {
            step: r#"
                (local.set $chunk (call $chunk (i32.const 512) (i32.const 2)))
                (call $chunk-bytes (local.get $chunk) (i32.const 1024))"#,
            realloc: "(return (i32.const -8))",
            ..Raw::default()
        } => "the policy was stopped";
    an_answer_outside_of_the_memory_is_a_trap:
        Raw { step: "(return (i32.const -16))", ..Raw::default() } => "the policy was stopped";
    an_answer_that_there_is_not_is_a_trap:
        Raw { step: "(i32.store8 (i32.const 2048) (i32.const 9))", ..Raw::default() } => "the policy was stopped";
    a_trap_while_it_is_made_ends_the_instance:
        Raw { module: "(func $begin unreachable) (start $begin)", ..Raw::default() } => "could not be instantiated";
    a_trap_in_its_cleaning_up_ends_the_instance:
        Raw {
            module: r#"(func (export "cabi_post_fedtail:policy/tailing@0.1.0#step") (param i32) unreachable)"#,
            ..Raw::default()
        } => "unreachable";
    calls_that_go_deeper_without_end_are_a_trap:
        Raw {
            module: "(func $deeper (call $deeper))",
            step: "(call $deeper)",
            ..Raw::default()
        } => "call stack exhausted";
    a_table_does_not_grow_beyond_its_limit:
        Raw {
            module: "(table $table 1 funcref)",
            step: r#"
                (loop $more
                    (br_if $more (i32.ne (i32.const -1) (table.grow $table (ref.null func) (i32.const 1000)))))
                (if (i32.gt_u (table.size $table) (i32.const 20000)) (then (return (i32.const 2048))))
                unreachable"#,
            ..Raw::default()
        } => "unreachable";
    memory_that_is_asked_for_at_once_is_not_given:
        Raw { pages: 1_000, ..Raw::default() } => "could not be instantiated";
    tables_that_are_asked_for_at_once_are_not_given:
        Raw { module: "(table 1000000 funcref)", ..Raw::default() } => "could not be instantiated";
}

/// A component that wants what is neither the contract's nor part of a language's system interface is not even linked.
#[test]
fn a_component_that_imports_anything_else_is_refused_by_name() {
    let component = wat::parse_str(
        r#"(component (import "wasi:http/outgoing-handler@0.2.3" (instance (export "handle" (func)))))"#,
    )
    .unwrap();
    let file = crate::stage::component("wants-the-web", &component);
    let engine = fedtail::policy::Engine::new(None).unwrap();
    let refused = fedtail::policy::Component::read(&engine, &file, fedtail::policy::Kind::Streamer).err().unwrap();
    assert!(refused.to_string().contains("imports \"wasi:http/outgoing-handler@0.2.3\""), "{refused}");
}
