//! The policies in `examples/policies/`, as a site or a server runs them.

use std::fmt::Write;
use std::fs;
use std::time::{Duration, Instant};

use fedtail::policy::set::Origin;
use fedtail::site::Ending;

use crate::stage::{PATIENCE, Stage, append, ended, guest};

/// A chunk ends within an address, several times: no half of one leaves.
#[tokio::test(flavor = "multi_thread")]
async fn redact_takes_addresses_out_wherever_a_read_ends() {
    let stage = Stage::new();
    let site = stage.site("a", Some((&guest("fedtail-policy-redact"), &[("pattern.ward", "ward [0-9]+")])));
    let log = stage.log("a", "log.txt");
    let (mut text, mut left) = (String::new(), String::new());
    for number in 0..40_000 {
        writeln!(text, "{number} mail nurse{number}@clinic.example from 10.1.2.3, ward {number}").unwrap();
        writeln!(left, "{number} mail [email] from [ip], [ward]").unwrap();
    }
    assert!(text.len() > 8 * (256 << 10), "it takes several chunks");
    append(&log, &text[..1_000_003]);
    let stream = stage.stream(&site, &log);
    append(&log, &text[1_000_003..]);
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert!(stage.stored("a", "log.txt") == left, "what is stored is not what was redacted");
}

/// Half a line never leaves: it waits for its rest, also over a rotation, and leaves at the end.
#[tokio::test(flavor = "multi_thread")]
async fn redact_sends_whole_lines_live_and_the_last_half_at_the_end() {
    let stage = Stage::new();
    let site = stage.site("a", Some((&guest("fedtail-policy-redact"), &[])));
    let log = stage.log("a", "log.txt");
    let stream = stage.stream(&site, &log);
    append(&log, "one a@b.c\ntwo a@");
    stage.has("a", "log.txt", "one [email]\n").await;
    append(&log, "b.c\nthree a");
    stage.has("a", "log.txt", "one [email]\ntwo [email]\n").await;
    fs::rename(&log, log.with_extension("txt.1")).unwrap();
    append(&log, "@b.c\nfour a@b.c");
    stage.has("a", "log.txt", "one [email]\ntwo [email]\nthree [email]\n").await;
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "one [email]\ntwo [email]\nthree [email]\nfour [email]");
}

/// Also where a message is cut by the site's restart: the fresh policy knows what its lines belong to.
#[tokio::test(flavor = "multi_thread")]
async fn level_keeps_tracebacks_whole_over_a_restart() {
    let stage = Stage::new();
    let log = stage.log("a", "log.txt");
    let policy = guest("fedtail-policy-level");
    append(
        &log,
        "2026-11-24 03:31:44,470 - Client - ERROR - it broke\nTraceback\n\
         2026-11-24 03:31:44,471 - Client - INFO - going on\n  with the first\n",
    );
    let error = "2026-11-24 03:31:44,470 - Client - ERROR - it broke\nTraceback\n";
    {
        let site = stage.site("a", Some((&policy, &[])));
        let _stream = stage.stream(&site, &log);
        stage.has("a", "log.txt", error).await;
    }
    append(&log, "  and the second line\n{\"levelname\": \"WARNING\", \"message\": \"disk\"}\n  is full\n");
    let site = stage.site("a", Some((&policy, &[])));
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    let warning = "{\"levelname\": \"WARNING\", \"message\": \"disk\"}\n  is full\n";
    assert_eq!(stage.stored("a", "log.txt"), format!("{error}{warning}"));
}

/// All of it arrives, and not sooner than the rate allows.
#[tokio::test(flavor = "multi_thread")]
async fn rate_sends_all_and_no_faster_than_it_is_set() {
    let stage = Stage::new();
    let settings = [("bytes-per-second", "20000"), ("burst", "10000")];
    let site = stage.site("a", Some((&guest("fedtail-policy-rate"), &settings)));
    let log = stage.log("a", "log.txt");
    let text = "a line of the log\n".repeat(2_000);
    append(&log, &text);
    let begin = Instant::now();
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), text);
    let least = Duration::from_secs_f64((text.len() - 10_000) as f64 / 20_000.0 * 0.95);
    assert!(begin.elapsed() >= least, "{} bytes took {:?} only", text.len(), begin.elapsed());
}

/// What was taken stays; the next log of the same site is refused in words, and another site is not touched.
#[tokio::test(flavor = "multi_thread")]
async fn quota_refuses_a_site_that_has_used_up_its_bytes() {
    let policy = guest("fedtail-policy-quota");
    let stage = Stage::with(|server| server.policy(policy, crate::stage::owned(&[("bytes", "1000"), ("logs", "2")])));
    let site = stage.site("a", None);
    let first = stage.log("a", "1.txt");
    append(&first, &"x".repeat(600));
    let outcome = stage.stream(&site, &first).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");

    let second = stage.log("a", "2.txt");
    append(&second, &"y".repeat(500));
    let mut stream = stage.stream(&site, &second);
    let outcome = ended(&mut stream).await;
    assert_eq!(outcome.ending, Ending::Refused, "{outcome}");
    assert!(outcome.reason.contains("quota of 1000 bytes for site a and job job is used up"), "{outcome}");
    assert_eq!(stage.stored("a", "2.txt"), "y".repeat(500), "what came before the quota was used up stays");

    let other = stage.log("b", "3.txt");
    append(&other, "z");
    let outcome = stage.stream(&stage.site("b", None), &other).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_a_policy_does_not_take_ends_the_stream_in_words() {
    let stage = Stage::new();
    let log = stage.log("a", "log.txt");
    append(&log, "secret\n");
    let site = stage.site("a", Some((&guest("fedtail-policy-redact"), &[("pattern", "secret")])));
    let outcome = ended(&mut stage.stream(&site, &log)).await;
    assert_eq!(outcome.ending, Ending::Failed);
    assert!(outcome.reason.contains("does not take its settings") && outcome.reason.contains("`pattern`"), "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "");
}

/// What an administrator copies from the manual works.
#[tokio::test(flavor = "multi_thread")]
async fn the_rules_that_the_manual_shows_are_good_for_redact() {
    let manual = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating-policies.md")).unwrap();
    let rules = manual.split("```toml\n").nth(1).and_then(|rest| rest.split("\n```").next()).unwrap();
    // Keys and digests are elided there, and are no part of what is tried.
    let rules: Vec<_> =
        rules.lines().filter(|line| !line.starts_with("trusted-keys") && !line.starts_with("digest")).collect();
    let stage = Stage::new();
    let log = stage.log("a", "log.txt");
    let policies = log.with_file_name("policies");
    fs::create_dir(&policies).unwrap();
    fs::copy(guest("fedtail-policy-redact"), policies.join("redact.wasm")).unwrap();
    fs::write(policies.join("policies.toml"), rules.join("\n").replace("train-*", "job")).unwrap();
    let site = stage.site_with("a", None, |site| site.policies(Origin::at(&policies)));
    append(&log, "a@b.c in ward 7 from 10.1.2.3\n");
    let outcome = stage.stream(&site, &log).finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "[email] in [ward] from 10.1.2.3\n");
}

/// A file that is there and empty has no first byte to be entered with: the last line of the one before it leaves all the
/// same.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_line_before_a_rotation_leaves_at_the_end_also_if_the_new_file_stays_empty() {
    let stage = Stage::new();
    let site = stage.site("a", Some((&guest("fedtail-policy-redact"), &[])));
    let log = stage.log("a", "log.txt");
    append(&log, "one a@b.c\nhalf a@b.c");
    let stream = stage.stream(&site, &log);
    stage.has("a", "log.txt", "one [email]\n").await;
    fs::rename(&log, log.with_extension("txt.1")).unwrap();
    append(&log, "");
    let outcome = stream.finish(PATIENCE).await;
    assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
    assert_eq!(stage.stored("a", "log.txt"), "one [email]\nhalf [email]");
}
