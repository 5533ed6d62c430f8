//! `fedtail policy test`, and the trial that a policy goes through before streams use it.
//!
//! What keeps its word passes; what does not is found, with the words that its author needs. Each mistake of the guests is
//! one that a stream without faults hides, or that a stream under faults would forgive for a while.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use fedtail::policy::{Component, Kind};
use fedtail::simulation::Rehearsal;
use fedtail::site::Ending;

use crate::author::{desk, failed, policy, well};
use crate::stage::{PATIENCE, Settings, Stage, append, component, guest};

/// Runs `fedtail policy test` on a component.
fn test(file: &Path, settings: Settings, more: &[&str]) -> Output {
    let settings: Vec<_> = settings.iter().map(|(key, value)| format!("--policy-setting={key}={value}")).collect();
    let mut arguments = vec!["test", file.to_str().unwrap()];
    arguments.extend(settings.iter().map(String::as_str));
    arguments.extend(more);
    policy(&desk(), &arguments)
}

/// Tests a component that passes, held to this.
fn passes(file: &Path, settings: Settings, promise: &str, more: &[&str]) {
    let (out, _) = well(test(file, settings, &[&["--seeds", "25"], more].concat()));
    for words in
        [&format!(": {promise}\nheld to   "), "runs      25, from seed 0; ", "kills of the site\n", "passed    all"]
    {
        assert!(out.contains(words), "{}: {words:?} is missing:\n{out}", file.display());
    }
}

#[test]
fn the_built_in_policies_pass() {
    for (kind, name) in [(Kind::Streamer, "built-in-streamer"), (Kind::Receiver, "built-in-receiver")] {
        passes(&component(name, Component::embedded_bytes(kind)), &[], "forwards", &[]);
    }
}

#[test]
fn the_examples_pass_and_are_known_by_what_they_do() {
    passes(&guest("fedtail-policy-redact"), &[], "filters", &[]);
    passes(&guest("fedtail-policy-redact"), &[("pattern.loss", "loss [0-9.]+")], "filters", &[]);
    passes(&guest("fedtail-policy-level"), &[], "filters", &[]);
    passes(&guest("fedtail-policy-level"), &[("level", "DEBUG")], "forwards", &[]);
    passes(&guest("fedtail-policy-rate"), &[("bytes-per-second", "1000")], "forwards", &[]);
    passes(&guest("fedtail-policy-quota"), &[("bytes", "3000")], "limits", &[]);
    passes(&guest("fedtail-policy-quota"), &[("bytes", "1000000")], "forwards", &[]);
}

/// A mistake of a guest is found: its words, the shortest schedule, and the seed to see it again.
fn is_found(guest_package: &str, does: &str, words: &str) {
    let output = test(&guest(guest_package), &[("does", does)], &[]);
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let said = failed(output, 7);
    assert!(said.contains(words), "{does}: {words:?} is not in: {said}");
    assert!(said.len() < 2_000 && !said.trim_end().chars().any(char::is_control), "{does}: {said}");
    for part in
        ["fails     ", "when      the log: records of a job", "everything works again", "repeat    with --seed "]
    {
        assert!(out.contains(part), "{does}: {part:?} is missing:\n{out}");
    }
    let steps = out.lines().filter(|line| line.trim_start().starts_with("after ")).count();
    assert!((1..=8).contains(&steps), "{does}: {steps} steps are not the shortest schedule:\n{out}");
    let seed = out.lines().find_map(|line| line.strip_prefix("repeat    with ")).unwrap();
    let again = test(&guest(guest_package), &[("does", does)], &seed.split(' ').collect::<Vec<_>>());
    assert!(String::from_utf8_lossy(&again.stdout).contains("WRONG: "), "{does}: it is not seen again with {seed}");
    assert!(failed(again, 7).contains(words), "{does}");
}

/// A mistake of a guest shows without any fault.
fn is_found_at_once(guest_package: &str, does: &str, words: &str) {
    let said = failed(test(&guest(guest_package), &[("does", does)], &[]), 7);
    assert!(said.contains("fails without any fault: ") && said.contains(words), "{does}: {words:?} is not in: {said}");
}

macro_rules! found {
    ($($name:ident: $found:ident($guest:literal, $does:literal) => $words:literal;)*) => {
        $(#[test]
        fn $name() {
            $found($guest, $does, $words);
        })*
    };
}

found! {
    a_line_that_is_doubled_after_a_reconnect_is_found:
        is_found("fedtail-guest-hostile", "double a line") => "stored twice";
    a_line_that_is_lost_after_a_reconnect_is_found:
        is_found("fedtail-guest-hostile", "lose a line") => "are missing and no gap says so";
    a_line_that_leaves_before_it_is_whole_is_found:
        is_found("fedtail-guest-hostile", "tear lines") => "a part of a line is stored, before the rest of it was judged";
    a_trap_after_a_reconnect_is_found:
        is_found("fedtail-guest-hostile", "trap later") => "the policy was stopped: wasm trap";
    a_receiver_that_refuses_who_comes_back_is_found:
        is_found("fedtail-guest-hostile-receiver", "refuse who comes back") => "the stream is refused: it was here before";
    a_receiver_that_ends_a_log_before_its_end_is_found:
        is_found("fedtail-guest-hostile-receiver", "close early") => "endings were told of one stream";

    lines_that_are_doubled_always_are_found:
        is_found_at_once("fedtail-guest-hostile", "double lines") => "it stores a line twice: ";
    a_last_line_that_is_left_out_is_found:
        is_found_at_once("fedtail-guest-hostile", "lose the last line") => "bytes are missing at the end, of what the job wrote";
    the_end_that_is_told_before_it_is_there_is_found:
        is_found_at_once("fedtail-guest-hostile", "finish at once") => "it says that all is sent, and has sent or skipped nothing";
    an_endless_loop_is_found:
        is_found_at_once("fedtail-guest-hostile", "loop") => "a step took more instructions than it may";
    a_trap_is_found:
        is_found_at_once("fedtail-guest-hostile", "trap in start") => "unreachable";
    a_lie_about_a_position_is_found:
        is_found_at_once("fedtail-guest-hostile", "go backwards") => "2 lies before 4";
    a_policy_that_never_waits_is_found:
        is_found_at_once("fedtail-guest-hostile", "turn without end") => "woken again at once";
    a_policy_that_waits_for_ever_is_found:
        is_found_at_once("fedtail-guest-hostile", "wait for ever") => "nothing went on for 24 simulated hours";
    settings_that_are_not_taken_are_found:
        is_found_at_once("fedtail-guest-hostile", "an error in start") => "the policy does not take its settings";
    memory_without_end_is_found:
        is_found_at_once("fedtail-guest-hostile", "eat memory") => "the policy was stopped";
    a_receiver_that_stores_twice_is_found:
        is_found_at_once("fedtail-guest-hostile-receiver", "store twice") => "it stores a line twice";
    a_receiver_that_swallows_is_found:
        is_found_at_once("fedtail-guest-hostile-receiver", "swallow") => "neither stored its data nor dropped it";
    a_receiver_that_accepts_for_no_time_is_found:
        is_found_at_once("fedtail-guest-hostile-receiver", "a time of nothing") => "an idle timeout of 0";
    a_receiver_that_loops_at_the_end_is_found:
        is_found_at_once("fedtail-guest-hostile-receiver", "loop in finish") => "a step took more instructions than it may";
    a_receiver_that_traps_behind_an_append_is_found:
        is_found_at_once("fedtail-guest-hostile-receiver", "trap behind append") => "the policy was stopped";
}

/// A state that a crash takes away shows in what leaves. Who means it says so, and is held to the rest.
#[test]
fn what_a_policy_is_held_to_can_be_said() {
    let hostile = guest("fedtail-guest-hostile");
    failed(test(&hostile, &[("does", "remember")], &[]), 7);
    passes(&hostile, &[("does", "remember")], "other", &["--kind", "other"]);
    // As a filter it may leave out what it likes, and halves of lines are then not the last ones.
    let said = failed(test(&hostile, &[("does", "lose the last line")], &["--kind", "filters"]), 7);
    assert!(said.contains("differs from what leaves without any fault: the line is another one"), "{said}");
    let said = failed(test(&guest("fedtail-policy-redact"), &[], &["--kind", "forwards"]), 7);
    assert!(said.contains("differs from what the job wrote") && said.contains("--kind filters"), "{said}");
    let output = test(&hostile, &[], &["--kind", "good"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("it is forwards, filters, limits or other"));
}

/// A receiver that takes other logs only can't be tried, and its author reads what to do.
#[test]
fn a_receiver_that_refuses_the_log_is_not_called_good() {
    let said = failed(test(&guest("fedtail-policy-quota"), &[], &[]), 7);
    assert!(
        said.contains("does not take the log log.txt of the job `job`") && said.contains("--policy-setting"),
        "{said}"
    );
    assert!(said.contains("the server's quota is set up without `bytes` and `logs`"), "{said}");
}

#[test]
fn what_is_no_policy_is_refused_as_everywhere() {
    let file = component("no-policy", &wat::parse_str("(component)").unwrap());
    assert!(failed(test(&file, &[], &[]), 3).contains("is not a policy, and there is nothing to test"));
    assert!(failed(policy(&desk(), &["test", "absent.wasm"]), 3).contains("absent.wasm cannot be read: No such"));
}

/// The same seed is the same run.
#[test]
fn a_seed_can_be_seen_again() {
    let run = || well(test(&guest("fedtail-policy-level"), &[], &["--seed", "7"])).0;
    let (once, again) = (run(), run());
    assert!(once.contains("passed    seed 7") && once.contains("the stream is over: "), "{once}");
    assert_eq!(once, again);
}

/// A file in a directory of its own, to be replaced.
fn replaceable(stage: &Stage, bytes: &[u8]) -> PathBuf {
    let file = stage.log("policies", "policy.wasm");
    replace(&file, bytes);
    file
}

fn replace(file: &Path, bytes: &[u8]) {
    let draft = file.with_extension("draft");
    std::fs::write(&draft, bytes).unwrap();
    std::fs::rename(&draft, file).unwrap();
}

/// The stage has its own words: the file, what went wrong under which circumstances, and how to see it. The stream goes on
/// under what it had, and nothing of it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_fails_in_the_simulation_does_not_take_over() {
    let stage = Stage::new();
    let file = replaceable(&stage, &std::fs::read(guest("fedtail-policy-redact")).unwrap());
    let site = stage.site_with("a", Some((&file, &[])), |site| site.battery(Rehearsal::default()));
    let log = stage.log("a", "log.txt");
    append(&log, "one a@b.c\n");
    let stream = stage.stream(&site, &log);
    stage.has("a", "log.txt", "one [email]\n").await;

    replace(&file, &std::fs::read(guest("fedtail-guest-numbering")).unwrap());
    let reloading = site.clone();
    let refused = tokio::task::spawn_blocking(move || reloading.reload_policies()).await.unwrap().unwrap_err();
    let words = refused.to_string();
    assert!(
        words.starts_with(&format!("the policy {} failed in the simulation: without any fault, ", file.display())),
        "{words}"
    );
    assert!(words.contains("it says that all is sent, and has sent or skipped"), "{words}");
    assert!(words.contains(&format!("see it happen with `fedtail policy test {}`", file.display())), "{words}");

    append(&log, "two a@b.c\n");
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "one [email]\ntwo [email]\n");
}

/// A mistake that shows under faults only is found too, at a site and at a server; its seed is told.
#[tokio::test(flavor = "multi_thread")]
async fn what_shows_under_faults_only_is_found_before_streams_use_it() {
    let stage = Stage::new();
    let refused = |does: &str| {
        let transport = fedtail::transport::InProcess::new(&stage.server, "a".parse().unwrap());
        let settings = crate::stage::owned(&[("does", does)]);
        let site = fedtail::site::Site::builder(transport).policy(guest("fedtail-guest-hostile"), settings);
        site.battery(Rehearsal::default().time(Duration::from_secs(60))).start().err().unwrap().to_string()
    };
    let words = refused("double a line");
    assert!(words.contains("under faults, ") && words.contains("stored twice"), "{words}");
    assert!(words.contains("--policy-setting 'does=double a line' --seed "), "{words}");

    let store = stage.log("another", "store");
    let settings = crate::stage::owned(&[("does", "refuse who comes back")]);
    let server = fedtail::server::Server::builder(store).policy(guest("fedtail-guest-hostile-receiver"), settings);
    let words = server.battery(Rehearsal::default().time(Duration::from_secs(60))).start().err().unwrap().to_string();
    assert!(
        words.contains("failed in the simulation: under faults, the stream is refused: it was here before"),
        "{words}"
    );
}

/// The time is a bound also where a policy does not end by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_trial_takes_no_longer_than_it_may() {
    let stage = Stage::new();
    let file = guest("fedtail-guest-hostile");
    let time = Duration::from_millis(300);
    let start = |does: &str| {
        let transport = fedtail::transport::InProcess::new(&stage.server, "a".parse().unwrap());
        let site = fedtail::site::Site::builder(transport).policy(&file, crate::stage::owned(&[("does", does)]));
        let begin = std::time::Instant::now();
        let started = site.battery(Rehearsal::default().time(time)).start();
        (started.err().map(|error| error.to_string()), begin.elapsed())
    };
    let (words, took) = start("loop");
    assert!(words.as_deref().is_some_and(|words| words.contains("a step took longer than it may")), "{words:?}");
    // Compiling is not part of it, and a loaded machine is slow to begin.
    assert!(took < PATIENCE / 4, "{took:?}");
    assert_eq!(start("").0, None, "an honest one is taken, however few seeds the time was enough for");
}

/// The program tries what it is given, and says what to do; what can't be judged by its looks has a way in.
#[tokio::test(flavor = "multi_thread")]
async fn the_program_refuses_a_policy_that_fails_in_the_simulation() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log.txt");
    append(&log, "a line\n");
    let hostile = guest("fedtail-guest-hostile");
    let run = |does: &str, more: &[&str]| {
        let mut command =
            fedtail_tests::fedtail(["stream", "--server", "http://127.0.0.1:9", "--site", "a", "--job", "j"]);
        command.arg("--once").arg("--policy").arg(&hostile).arg("--policy-setting").arg(format!("does={does}"));
        command.args(more).arg(&log);
        command.output().unwrap()
    };
    let words = failed(run("double lines", &[]), 1);
    assert!(
        words.contains("hostile.wasm failed in the simulation: without any fault, it stores a line twice"),
        "{words}"
    );
    assert!(words.contains("see it happen with `fedtail policy test "), "{words}");
    let words = failed(run("trap", &["--policy-kind", "other"]), 1);
    assert!(words.contains("the policy was stopped: wasm trap"), "whatever it is held to, it may not fail: {words}");
    let words = failed(run("remember", &[]), 1);
    assert!(words.contains("failed in the simulation: under faults, "), "{words}");
}
