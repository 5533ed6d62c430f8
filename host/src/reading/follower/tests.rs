use super::testing::{Written, key};
use super::*;

fn follower(store: &Written, begin: Begin, turns: bool) -> Follower {
    Follower::new(store.reader(), Selection::of_job(key("a", "log").job), begin, turns)
}

/// What is new, one text for each piece.
fn news(follower: &mut Follower) -> Vec<String> {
    follower.refresh();
    follower.list().unwrap();
    std::iter::from_fn(|| follower.read_next())
        .map(|chunk| {
            let text = String::from_utf8_lossy(&chunk.payload);
            let end = if chunk.ended { " END" } else { "" };
            let note = if chunk.note.is_empty() { "" } else { " NOTE" };
            format!("{}/{} {text:?}{end}{note}", chunk.site, chunk.log)
        })
        .collect()
}

#[test]
fn first_the_last_lines_then_what_is_new_and_new_logs_from_their_beginning() {
    let store = Written::new();
    store.append("a", "log", "1\n2\n3\n");
    store.append("b", "log", "4\n5");
    let mut follower = follower(&store, Begin::LastLines(1), true);
    assert!(follower.is_empty());
    assert_eq!(news(&mut follower), ["a/log \"3\\n\"", "b/log \"5\""]);
    assert!(news(&mut follower).is_empty(), "nothing is told twice");
    store.append("b", "log", "\n6\n");
    store.append("c", "other", "7\n8\n");
    assert_eq!(news(&mut follower), ["b/log \"\\n6\\n\"", "c/other \"7\\n8\\n\""]);
}

#[test]
fn no_lines_means_what_comes_from_now_on() {
    let store = Written::new();
    store.append("a", "log", "1\n");
    let mut follower = follower(&store, Begin::LastLines(0), true);
    assert!(news(&mut follower).is_empty());
    store.append("a", "log", "2\n");
    assert_eq!(news(&mut follower), ["a/log \"2\\n\""]);
}

#[test]
fn other_jobs_and_logs_that_were_not_asked_for_are_not_read() {
    let store = Written::new();
    store.append("a", "log", "1\n");
    store.append("a", "other", "2\n");
    let one = Selection { log: Some(key("a", "other").log), ..Selection::of_job(key("a", "log").job) };
    let mut follower = Follower::new(store.reader(), one, Begin::Beginning, true);
    assert_eq!(news(&mut follower), ["a/other \"2\\n\""]);
    let other_job = Selection::of_job(crate::names::JobName::new("k").unwrap());
    let mut follower = Follower::new(store.reader(), other_job, Begin::Beginning, true);
    assert!(news(&mut follower).is_empty() && follower.is_empty());
}

#[test]
fn an_end_is_told_once_and_again_after_late_lines() {
    let store = Written::new();
    store.append("a", "log", "1");
    let mut follower = follower(&store, Begin::Beginning, true);
    assert_eq!(news(&mut follower), ["a/log \"1\""]);
    store.end("a", "log");
    assert_eq!(news(&mut follower), ["a/log \"\" END"]);
    assert!(news(&mut follower).is_empty());
    store.reopen("a", "log");
    store.append("a", "log", "late");
    store.end("a", "log");
    assert_eq!(news(&mut follower), ["a/log \"late\" END"]);
}

#[test]
fn logs_with_much_to_read_take_turns_only_when_told_so() {
    let store = Written::new();
    let much = "x".repeat(PIECE + 1);
    store.append("a", "log", &much);
    store.append("b", "log", &much);
    for (turns, order) in [(true, "abab"), (false, "aabb")] {
        let mut follower = follower(&store, Begin::Beginning, turns);
        follower.list().unwrap();
        let pieces: Vec<_> = std::iter::from_fn(|| follower.read_next()).collect();
        assert_eq!(pieces.iter().map(|piece| piece.site.as_str()).collect::<String>(), order);
        assert_eq!(pieces.iter().map(|piece| piece.payload.len()).sum::<usize>(), 2 * much.len());
    }
}

#[test]
fn a_log_that_was_discarded_is_read_from_its_beginning() {
    let store = Written::new();
    store.append("a", "log", "old text\n");
    let mut follower = follower(&store, Begin::Beginning, true);
    assert_eq!(news(&mut follower), ["a/log \"old text\\n\""]);
    store.discard("a", "log");
    assert!(news(&mut follower).is_empty());
    store.append("a", "log", "new\n");
    assert_eq!(news(&mut follower), ["a/log \"new\\n\""]);
}

#[test]
fn trouble_with_one_log_is_told_once_and_the_log_goes_on_when_it_is_over() {
    let store = Written::new();
    store.append("a", "log", "1\n");
    store.append("b", "log", "2\n");
    let mut follower = follower(&store, Begin::Beginning, true);
    assert_eq!(news(&mut follower), ["a/log \"1\\n\"", "b/log \"2\\n\""]);
    let journal = store.reader().journals().join("j/a/log");
    let aside = store.directory.path().join("aside");
    std::fs::rename(&journal, &aside).unwrap();
    std::fs::write(&journal, "no journal").unwrap();
    store.append("b", "log", "3\n");
    assert_eq!(news(&mut follower), ["a/log \"\" NOTE", "b/log \"3\\n\""]);
    assert!(news(&mut follower).is_empty());
    store.append("a", "log", "4\n"); // the store writes on in the journal that it holds open
    std::fs::rename(&aside, &journal).unwrap();
    assert_eq!(news(&mut follower), ["a/log \"4\\n\""]);
}

#[test]
fn a_log_whose_files_were_removed_is_left_and_the_others_go_on() {
    let store = Written::new();
    store.append("a", "log", "1\n");
    store.append("b", "log", "2\n");
    let mut follower = follower(&store, Begin::LastLines(0), true);
    assert!(news(&mut follower).is_empty());
    std::fs::remove_file(store.reader().journals().join("j/a/log")).unwrap();
    store.append("b", "log", "3\n");
    assert_eq!(news(&mut follower), ["b/log \"3\\n\""]);
}
