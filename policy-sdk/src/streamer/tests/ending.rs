//! The stop of a job, and snapshots.

use super::Next::{Finished, Wait};
use super::*;
use crate::model::Act::*;

#[test]
fn a_stop_sends_the_rest_and_looks_once_more_a_poll_interval_later() {
    play(
        FOLLOW,
        &[
            (&[Write("a")], Wake::Connected, &["sent a"], Wait(POLL)),
            (&[At(100), Write("b")], Wake::Stop, &["sent b"], Wait(600)),
            (&[At(200), Write("shutting down")], Wake::Changed, &["sent shutting down"], Wait(600)),
            (&[At(600), Write("bye")], Wake::Timer, &["sent bye"], Finished),
        ],
    );
}

#[test]
fn a_finished_stream_holds_no_file() {
    let (policy, _) = play(ONCE, &[(&[Write("a")], Wake::Connected, &["sent a"], Finished)]);
    assert!(policy.place.is_none());
}

#[test]
fn a_rotation_during_the_shutdown_is_followed() {
    play(
        FOLLOW,
        &[
            (&[Write("a")], Wake::Connected, &["sent a"], Wait(POLL)),
            (&[], Wake::Stop, &[], Wait(POLL)),
            (&[At(POLL), Write("b"), Rotate("c")], Wake::Timer, &["sent b", "sent c"], Finished),
        ],
    );
}

#[test]
fn the_last_look_counts_from_when_all_was_sent() {
    play(
        FOLLOW,
        &[
            (&[Write("abcd"), Window(2)], Wake::Connected, &["sent ab"], Wait(POLL)),
            (&[At(100)], Wake::Stop, &[], Wait(600)),
            (&[At(1000)], Wake::Timer, &[], Wait(1500)),
            (&[At(1200), Window(9)], Wake::Writable, &["sent cd"], Wait(1700)),
            (&[At(1700)], Wake::Timer, &[], Finished),
        ],
    );
}

#[test]
fn a_stop_before_the_server_is_there_still_sends_everything() {
    play(
        FOLLOW,
        &[
            (&[Write("a")], Wake::Stop, &[], Wait(POLL)),
            (&[At(900)], Wake::Connected, &["sent a"], Wait(1400)),
            (&[At(1400)], Wake::Timer, &[], Finished),
        ],
    );
}

#[test]
fn a_log_that_never_appeared_is_finished_after_the_last_look() {
    play(
        FOLLOW,
        &[
            (&[], Wake::Connected, &[], Wait(POLL)),
            (&[], Wake::Stop, &[], Wait(POLL)),
            (&[At(POLL)], Wake::Timer, &[], Finished),
        ],
    );
}

#[test]
fn a_log_that_appears_during_the_shutdown_is_sent() {
    play(
        FOLLOW,
        &[
            (&[], Wake::Connected, &[], Wait(POLL)),
            (&[], Wake::Stop, &[], Wait(POLL)),
            (&[At(POLL), Write("short life")], Wake::Timer, &["sent short life"], Finished),
        ],
    );
}

#[test]
fn after_the_end_a_reconnect_sends_what_was_lost_and_finishes_without_another_wait() {
    play(
        FOLLOW,
        &[
            (&[Write("a")], Wake::Connected, &["sent a"], Wait(POLL)),
            (&[Ack], Wake::Stop, &[], Wait(POLL)),
            (&[At(POLL), Write("b")], Wake::Timer, &["sent b"], Finished),
            (&[Break, At(POLL + 1)], Wake::Changed, &[], Finished),
            (&[Mend], Wake::Connected, &["sent b"], Finished),
            (&[], Wake::Stop, &[], Finished),
        ],
    );
}

#[test]
fn a_reconnect_during_the_shutdown_keeps_the_time_of_the_last_look() {
    play(
        FOLLOW,
        &[
            (&[Write("a")], Wake::Connected, &["sent a"], Wait(POLL)),
            (&[], Wake::Stop, &[], Wait(POLL)),
            (&[Break, At(400)], Wake::Changed, &[], Wait(900)),
            (&[Mend], Wake::Connected, &["sent a"], Wait(POLL)),
            (&[At(POLL)], Wake::Timer, &[], Finished),
        ],
    );
}

#[test]
fn a_snapshot_sends_all_files_and_finishes_at_once() {
    play(
        ONCE,
        &[(&[Write("a"), Rotate("b"), Rotate("c")], Wake::Connected, &["sent a", "sent b", "sent c"], Finished)],
    );
}

#[test]
fn a_snapshot_of_no_log_is_finished_at_once() {
    play(ONCE, &[(&[], Wake::Connected, &[], Finished)]);
}

#[test]
fn a_snapshot_ends_where_the_log_ended_when_it_was_opened() {
    play(
        ONCE,
        &[
            (&[Write("abcd"), Window(3)], Wake::Connected, &["sent abc"], Wait(POLL)),
            (&[Write("later"), Window(9)], Wake::Writable, &["sent d"], Finished),
            (&[], Wake::Changed, &[], Finished),
        ],
    );
}

#[test]
fn a_snapshot_sends_a_file_whole_that_rotates_meanwhile() {
    play(
        ONCE,
        &[
            (&[Write("abcd"), Window(3)], Wake::Connected, &["sent abc"], Wait(POLL)),
            (&[Write("e"), Rotate("f"), Window(9)], Wake::Writable, &["sent d", "sent e", "sent f"], Finished),
        ],
    );
}

#[test]
fn a_snapshot_that_lost_its_link_goes_on_from_what_is_stored() {
    play(
        ONCE,
        &[
            (&[Write("abcd"), Window(3)], Wake::Connected, &["sent abc"], Wait(POLL)),
            (&[Ack, Break], Wake::Timer, &[], Wait(POLL)),
            (&[Mend, Window(9)], Wake::Connected, &["sent d"], Finished),
        ],
    );
}
