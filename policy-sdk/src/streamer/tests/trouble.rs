//! What fails, and what keeps a step finite.

use super::Next::{Finished, Wait};
use super::*;
use crate::model::Act::*;

const DENIED: &str = "Warn: the log may not be read: /logs/a; let the user that runs fedtail read it";
const BROKEN: &str = "Warn: the log can't be read: I/O error on /logs/a";

fn denied() -> Act {
    Fail(SourceError::Denied("/logs/a".into()))
}

fn broken() -> Act {
    Fail(SourceError::Other("I/O error on /logs/a".into()))
}

#[test]
fn a_failing_source_is_said_once_and_tried_again_for_as_long_as_the_job_runs() {
    play(
        FOLLOW,
        &[
            (&[Write("a"), denied()], Wake::Connected, &[DENIED], Wait(POLL)),
            (&[At(500)], Wake::Timer, &[], Wait(1000)),
            (&[broken()], Wake::Changed, &[BROKEN], Wait(1000)),
            (&[denied(), At(1000)], Wake::Timer, &[], Wait(1500)),
            (&[At(1500)], Wake::Timer, &[], Wait(2000)),
            (&[Heal, At(2000)], Wake::Timer, &["sent a", "Info: the log can be read again"], Wait(2500)),
            // In the middle of a file, and as a new trouble.
            (&[Write("b"), denied()], Wake::Changed, &[DENIED], Wait(2500)),
            (&[Heal], Wake::Changed, &["sent b", "Info: the log can be read again"], Wait(2500)),
        ],
    );
}

#[test]
fn a_source_that_stays_unreadable_after_the_stop_is_a_gap_and_the_stream_ends() {
    let gap = "gap of unknown length: the end of the log was not sent: the log may not be read: /logs/a; \
               let the user that runs fedtail read it";
    play(
        FOLLOW,
        &[
            (&[Write("a")], Wake::Connected, &["sent a"], Wait(POLL)),
            (&[Write("b"), denied()], Wake::Stop, &[DENIED], Wait(500)),
            // Wakes in between are no tries.
            (&[At(100)], Wake::Changed, &[], Wait(500)),
            (&[At(200)], Wake::Changed, &[], Wait(500)),
            (&[At(500)], Wake::Timer, &[], Wait(1000)),
            (&[At(1000)], Wake::Timer, &[gap], Finished),
            // The report was lost on its way; it is made again without another wait.
            (&[At(1001), Break, Mend], Wake::Connected, &[gap], Finished),
        ],
    );
}

#[test]
fn a_gap_at_the_end_that_is_not_taken_is_reported_when_it_can_be() {
    let gap = "gap of unknown length: the end of the log was not sent: the log can't be read: I/O error on /logs/a";
    play(
        ONCE,
        &[
            (&[Write("a"), broken()], Wake::Connected, &[BROKEN], Wait(500)),
            (&[At(500)], Wake::Timer, &[], Wait(1000)),
            (&[At(1000), Refuse(SendError::WindowFull)], Wake::Timer, &[], Wait(1500)),
            (&[At(1100), Refuse(SendError::Disconnected)], Wake::Writable, &[], Wait(1600)),
            (&[At(1200)], Wake::Connected, &[gap], Finished),
        ],
    );
}

#[test]
fn a_source_that_recovers_after_the_stop_is_sent_without_a_gap() {
    play(
        FOLLOW,
        &[
            (&[Write("a"), broken()], Wake::Connected, &[BROKEN], Wait(500)),
            (&[], Wake::Stop, &[], Wait(500)),
            (&[At(500), Heal], Wake::Timer, &["sent a", "Info: the log can be read again"], Wait(1000)),
            (&[At(1000)], Wake::Timer, &[], Finished),
        ],
    );
}

#[test]
fn bytes_that_flow_again_after_the_stop_earn_new_tries() {
    play(
        FOLLOW,
        &[
            (&[Write("a"), broken()], Wake::Stop, &[], Wait(500)),
            (&[], Wake::Connected, &[BROKEN], Wait(500)),
            (&[At(500)], Wake::Timer, &[], Wait(1000)),
            (&[At(999), Heal], Wake::Changed, &["sent a", "Info: the log can be read again"], Wait(1499)),
            (&[At(1000), Write("b"), broken()], Wake::Changed, &[BROKEN], Wait(1500)),
            (&[At(1500)], Wake::Timer, &[], Wait(2000)),
            (&[At(1999), Heal], Wake::Changed, &["sent b", "Info: the log can be read again"], Finished),
        ],
    );
}

#[test]
fn a_source_that_fails_in_ever_new_ways_is_not_remembered_for_ever() {
    let (mut policy, mut site) = play(FOLLOW, &[]);
    let mut fail = |number: usize| {
        site.act(Fail(SourceError::Other(format!("way {number}"))));
        assert_eq!(policy.step(&mut site, Wake::Connected), Ok(Wait(POLL)));
        (site.heard().len(), policy.said.len())
    };
    for number in 0..MESSAGES_REMEMBERED {
        assert_eq!(fail(number), (1, number + 1));
    }
    assert_eq!(fail(0), (0, MESSAGES_REMEMBERED), "said before");
    assert_eq!(fail(MESSAGES_REMEMBERED), (1, MESSAGES_REMEMBERED), "the oldest is forgotten");
    assert_eq!(fail(1), (0, MESSAGES_REMEMBERED));
    assert_eq!(fail(0), (1, MESSAGES_REMEMBERED), "forgotten, so said again");
}

#[test]
fn a_rest_that_is_said_to_be_there_and_never_read_does_not_spin() {
    let said = "Warn: a rotated file of the log has a rest that can't be read";
    play(
        FOLLOW,
        &[
            (&[Write("a"), Contradict], Wake::Connected, &["sent a", said], Wait(POLL)),
            (&[], Wake::Changed, &[], Wait(POLL)),
            (&[Heal, Rotate("b")], Wake::Changed, &["sent b", "Info: the log can be read again"], Wait(POLL)),
        ],
    );
}

#[test]
fn a_step_is_bounded_however_wide_the_window_is() {
    let settings = Settings { max_chunk_size: 1, ..FOLLOW };
    let (mut policy, mut site) = play(settings, &[]);
    let long: &'static str = "x".repeat(1000).leak();
    site.act(Write(long));
    assert_eq!(policy.step(&mut site, Wake::Connected), Ok(Wait(0)), "to be stepped again at once");
    let (calls, mut sent) = (site.calls, site.heard().len());
    assert!(calls < 5 * TURNS_PER_STEP, "{calls} calls");
    assert!(sent < 1000, "{sent} bytes");
    while policy.step(&mut site, Wake::Timer) == Ok(Wait(0)) {
        sent += site.heard().len();
    }
    assert_eq!(sent + site.heard().len(), 1000);
}

#[test]
fn a_disagreement_about_the_stream_is_an_error_in_words() {
    for (error, words) in [
        (SendError::BadPosition("behind 7".into()), "the host does not take the position: behind 7"),
        (SendError::GapUnreported, "the host misses the report of a gap that this policy was not told of"),
        (SendError::TooLarge(0), "the host takes no range of any size"),
        (SendError::TooLarge(3), "the host takes no range of any size"),
        (SendError::Other("new".into()), "the host does not take the log's bytes: new"),
    ] {
        let (mut policy, mut site) = play(FOLLOW, &[]);
        site.act(Write("abc"));
        site.act(Refuse(error));
        assert_eq!(policy.step(&mut site, Wake::Connected), Err(words.to_string()));
    }
}

#[test]
fn settings_that_can_t_work_are_refused_in_words() {
    let custom = vec![("redact".to_string(), "[0-9]+".to_string())];
    for (settings, words) in [
        (Settings { poll_interval: 0, ..FOLLOW }, "the poll interval is 0"),
        (Settings { max_chunk_size: 0, ..FOLLOW }, "the chunk size is 0"),
        (Settings { custom, ..FOLLOW }, "was given `redact`; remove it"),
    ] {
        let error = Streamer::<Site>::start(settings).err().expect("a refusal");
        assert!(error.contains(words), "{error}");
    }
}
