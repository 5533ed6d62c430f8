//! Growth, rotation, gaps, the window and the link, while the job runs.

use super::Next::Wait;
use super::*;
use crate::model::Act::*;

#[test]
fn a_log_that_is_there_is_sent_chunk_by_chunk_and_followed() {
    let long = "0123456789".repeat(10);
    let (first, second) = (format!("sent {}", &long[..64]), format!("sent {}", &long[64..]));
    let long: &'static str = long.leak();
    play(
        FOLLOW,
        &[
            (&[Write(long)], Wake::Connected, &[&first, &second], Wait(POLL)),
            (&[Write("more")], Wake::Changed, &["sent more"], Wait(POLL)),
            (&[At(POLL)], Wake::Timer, &[], Wait(2 * POLL)),
            (&[Write("unseen"), At(2 * POLL)], Wake::Timer, &["sent unseen"], Wait(3 * POLL)),
        ],
    );
}

#[test]
fn what_was_just_written_leaves_before_the_policy_asks_for_more() {
    let (mut policy, mut site) = (Streamer::start(FOLLOW).unwrap(), Site::new());
    site.act(Write("a"));
    assert_eq!(policy.step(&mut site, Wake::Connected), Ok(Wait(POLL / 2)), "a moment, within the poll interval");
    assert_eq!(site.heard(), ["sent a"]);
    assert!(!site.was_asked(), "what comes after the file is asked about later");
    // Whatever happens before the moment is over is seen at once.
    site.act(Write("b"));
    site.act(Rotate("c"));
    assert_eq!(policy.step(&mut site, Wake::Changed), Ok(Wait(POLL / 2)));
    assert_eq!(policy.step(&mut site, Wake::Changed), Ok(Wait(POLL / 2)));
    assert_eq!(site.heard(), ["sent b", "sent c"]);
    assert_eq!(policy.step(&mut site, Wake::Timer), Ok(Wait(POLL)));
}

#[test]
fn a_log_that_appears_late_is_waited_for() {
    play(
        FOLLOW,
        &[
            (&[], Wake::Connected, &[], Wait(POLL)),
            (&[At(POLL)], Wake::Timer, &[], Wait(2 * POLL)),
            (&[Heal, Write("a")], Wake::Changed, &["sent a"], Wait(2 * POLL)),
        ],
    );
}

#[test]
fn nothing_is_done_before_the_server_is_there() {
    let (_, site) = play(
        FOLLOW,
        &[
            (&[Write("a")], Wake::Changed, &[], Wait(POLL)),
            (&[], Wake::Timer, &[], Wait(POLL)),
            (&[], Wake::Stop, &[], Wait(POLL)),
        ],
    );
    assert_eq!(site.calls, 3, "only the clock was asked");
}

#[test]
fn rotated_files_are_sent_to_their_end_before_the_next_one() {
    play(
        FOLLOW,
        &[
            (&[Write("a1 ")], Wake::Connected, &["sent a1 "], Wait(POLL)),
            (
                &[Write("a2 "), Rotate("b"), Rotate(""), Rotate("d")],
                Wake::Changed,
                &["sent a2 ", "sent b", "sent d"],
                Wait(POLL),
            ),
        ],
    );
}

#[test]
fn what_was_written_while_the_rotation_was_asked_about_is_sent_first() {
    play(
        FOLLOW,
        &[
            (
                &[Write("a1 "), RotateWhileAsked("a2 ", "b")],
                Wake::Connected,
                &["sent a1 ", "sent a2 ", "sent b"],
                Wait(POLL),
            ),
            (&[RotateWhileAsked("b2", "c")], Wake::Timer, &["sent b2", "sent c"], Wait(POLL)),
        ],
    );
}

#[test]
fn a_gap_is_reported_before_anything_is_sent_behind_it() {
    play(
        FOLLOW,
        &[
            (&[Write("abc")], Wake::Connected, &["sent abc"], Wait(POLL)),
            (&[Write("lost!"), Cut("new")], Wake::Changed, &["gap of 5 bytes", "sent new"], Wait(POLL)),
            (&[Cut("")], Wake::Changed, &["gap of 0 bytes"], Wait(POLL)),
            (&[Write("x")], Wake::Changed, &["sent x"], Wait(POLL)),
        ],
    );
}

#[test]
fn a_gap_that_the_window_does_not_take_is_reported_later_and_once() {
    play(
        FOLLOW,
        &[
            (&[Write("abc")], Wake::Connected, &["sent abc"], Wait(POLL)),
            (&[Write("d"), Cut("new"), Refuse(SendError::WindowFull)], Wake::Changed, &[], Wait(POLL)),
            (&[], Wake::Writable, &["gap of 1 bytes", "sent new"], Wait(POLL)),
        ],
    );
}

#[test]
fn no_more_is_read_than_the_window_takes() {
    play(
        FOLLOW,
        &[
            (&[Write("abcdef"), Window(4)], Wake::Connected, &["sent abcd"], Wait(POLL)),
            (&[], Wake::Changed, &[], Wait(POLL)),
            (&[At(POLL)], Wake::Timer, &[], Wait(2 * POLL)),
            (&[Window(100)], Wake::Writable, &["sent ef"], Wait(2 * POLL)),
        ],
    );
}

#[test]
fn bytes_that_were_read_and_not_taken_are_kept_and_not_read_again() {
    play(
        FOLLOW,
        &[
            (&[Write("abc"), Refuse(SendError::WindowFull)], Wake::Connected, &[], Wait(POLL)),
            // Cut in the meantime: were it read again, it would be lost.
            (&[Cut("new")], Wake::Writable, &["sent abc", "gap of 0 bytes", "sent new"], Wait(POLL)),
        ],
    );
}

#[test]
fn a_range_that_is_too_large_is_sent_in_smaller_pieces() {
    play(
        FOLLOW,
        &[(&[Write("abcdefgh"), Limit(3)], Wake::Connected, &["sent abc", "sent def", "sent gh"], Wait(POLL))],
    );
}

#[test]
fn after_a_reconnect_the_stream_goes_on_from_what_is_stored() {
    play(
        FOLLOW,
        &[
            (&[Write("abc")], Wake::Connected, &["sent abc"], Wait(POLL)),
            (&[Ack, Write("def")], Wake::Changed, &["sent def"], Wait(POLL)),
            (&[Break, Write("ghi")], Wake::Changed, &[], Wait(POLL)),
            (&[Mend], Wake::Connected, &["sent defghi"], Wait(POLL)),
        ],
    );
}

#[test]
fn a_link_that_breaks_while_sending_is_waited_for() {
    let refused = Refuse(SendError::Disconnected);
    play(
        FOLLOW,
        &[
            (&[Write("abc"), refused.clone()], Wake::Connected, &[], Wait(POLL)),
            (&[], Wake::Changed, &[], Wait(POLL)),
            (&[], Wake::Writable, &[], Wait(POLL)),
            (&[], Wake::Connected, &["sent abc"], Wait(POLL)),
            (&[Ack, Write("d"), Cut("new"), refused], Wake::Changed, &[], Wait(POLL)),
            (&[Break], Wake::Timer, &[], Wait(POLL)),
            (&[Mend], Wake::Connected, &["gap of 1 bytes", "sent new"], Wait(POLL)),
        ],
    );
}
