use tokio::sync::watch;

use super::*;
use crate::reading::follower::testing::{Written, key};

/// Long enough for any machine; a test that fails takes it.
const PATIENCE: Duration = Duration::from_secs(30);

fn job() -> Selection {
    Selection::of_job(key("a", "log").job)
}

async fn next(chunks: &mut mpsc::Receiver<TailChunk>) -> TailChunk {
    tokio::time::timeout(PATIENCE, chunks.recv()).await.expect("nothing came").expect("the tail has ended")
}

async fn next_text(chunks: &mut mpsc::Receiver<TailChunk>) -> String {
    let chunk = next(chunks).await;
    format!("{}/{} {}{}", chunk.site, chunk.log, String::from_utf8_lossy(&chunk.payload), chunk.note)
}

#[tokio::test]
async fn without_following_it_is_over_at_the_end_of_the_logs() {
    let store = Written::new();
    store.append("a", "log", "1\n2\n");
    store.append("b", "log", "3\n4\n");
    let (to, mut chunks) = mpsc::channel(8);
    tail(store.reader(), job(), Begin::LastLines(1), None, to).await.unwrap();
    assert_eq!(next_text(&mut chunks).await, "a/log 2\n");
    assert_eq!(next_text(&mut chunks).await, "b/log 4\n");
    assert_eq!(chunks.recv().await, None);
}

#[tokio::test]
async fn without_following_a_log_that_is_not_there_is_an_error_that_names_it() {
    let store = Written::new();
    let (to, _chunks) = mpsc::channel(8);
    let error = tail(store.reader(), job(), Begin::Beginning, None, to).await.unwrap_err().to_string();
    assert!(error.contains("has no log of job j: `fedtail ls`"), "{error}");
}

#[tokio::test]
async fn events_wake_for_jobs_sites_logs_and_lines_that_appear_later() {
    let store = Written::new();
    let (to, mut chunks) = mpsc::channel(8);
    let wakes = Wakes::events(&store.reader(), &job());
    let following = tokio::spawn(tail(store.reader(), job(), Begin::LastLines(0), Some(wakes), to));
    assert_eq!(next_text(&mut chunks).await, "/ there is no log of job j yet; waiting for it");
    for (site, log, text) in [("a", "log", "1\n"), ("a", "log", "2\n"), ("a", "other", "3\n"), ("b", "log", "4\n")] {
        store.append(site, log, text);
        assert_eq!(next_text(&mut chunks).await, format!("{site}/{log} {text}"));
    }
    drop(chunks);
    following.await.unwrap().unwrap();
}

#[tokio::test]
async fn commits_of_the_server_wake_and_its_end_ends_the_tail() {
    let store = Written::new();
    store.append("a", "log", "1\n");
    let (committed, commits) = watch::channel(0);
    let (to, mut chunks) = mpsc::channel(8);
    let wakes = Wakes::commits(commits);
    let following = tokio::spawn(tail(store.reader(), job(), Begin::Beginning, Some(wakes), to));
    assert_eq!(next_text(&mut chunks).await, "a/log 1\n");
    store.append("a", "log", "2\n");
    committed.send_replace(1);
    assert_eq!(next_text(&mut chunks).await, "a/log 2\n");
    drop(committed);
    following.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_tail() {
    let store = Written::new();
    let (_committed, commits) = watch::channel(0);
    let (to, chunks) = mpsc::channel(8);
    let following = tokio::spawn(tail(store.reader(), job(), Begin::Beginning, Some(Wakes::commits(commits)), to));
    drop(chunks);
    tokio::time::timeout(PATIENCE, following).await.expect("it goes on").unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_quiet_tail_gives_a_sign_of_life() {
    let store = Written::new();
    store.append("a", "log", "1\n");
    let (_committed, commits) = watch::channel(0);
    let (to, mut chunks) = mpsc::channel(8);
    let started = Instant::now();
    tokio::spawn(tail(store.reader(), job(), Begin::LastLines(0), Some(Wakes::commits(commits)), to));
    assert_eq!(chunks.recv().await, Some(TailChunk::default()));
    let waited = started.elapsed();
    assert!((BEAT..BEAT + 2 * POLL).contains(&waited), "{waited:?}");
}
