//! Showing logs, and following them.

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::{Begin, Follower, Selection, Wakes, whole};
use crate::store::{Reader, StoreError};
use crate::wire::TailChunk;

/// A tail that follows gives a chunk without anything in it after this time in which there was nothing else, so that
/// each side of a connection learns when the other is gone.
pub const BEAT: Duration = Duration::from_secs(10);

/// How much is read before it is handed on: bounds the memory of a reader whose other end is slow.
const BATCH: usize = 1 << 20;
/// How often the logs are looked at when nothing woke us: the net under lost events.
const POLL: Duration = Duration::from_millis(500);
/// The least time between two looks. With many commits a second, those of this time are one look's; it is what a line
/// can wait at most where the looks are short.
const PAUSE: Duration = Duration::from_millis(2);
/// A look at thousands of logs takes its time; the pause after it is this many times as long, so that following them
/// never takes more than a fifth of a processor.
const PAUSE_PER_LOOK: u32 = 4;
/// The same for looking for new logs, which costs more and is needed less.
const LISTING_PAUSE: Duration = Duration::from_millis(20);
/// See [`LISTING_PAUSE`].
const PAUSE_PER_LISTING: u32 = 9;

/// Why nothing is shown.
#[derive(Debug, thiserror::Error)]
pub enum TailError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such log, and nobody waits for one.
    #[error(
        "the store {} has no {selection}: `fedtail ls` shows those that it has, and `fedtail tail -f` waits for it",
        store.display()
    )]
    NoLog {
        /// The store's directory.
        store: PathBuf,
        /// What was asked for.
        selection: Selection,
    },
}

/// Gives the selected logs' bytes, in order for each log. With `follow` it goes on with what is committed later, also to
/// logs that appear later, until the other end is gone; otherwise it is over at the end of the logs.
///
/// # Errors
///
/// The store can't be read; or without `follow`, no log was selected. What is wrong with one log is a note, and the
/// others go on.
pub async fn tail(
    reader: Reader,
    selection: Selection,
    begin: Begin,
    follow: Option<Wakes>,
    to: mpsc::Sender<TailChunk>,
) -> Result<(), TailError> {
    match follow {
        Some(wakes) => follow_logs(reader, selection, begin, wakes, to).await,
        None => show(reader, selection, begin, to).await,
    }
}

/// Shows what is there, one log after the other.
async fn show(
    reader: Reader,
    selection: Selection,
    begin: Begin,
    to: mpsc::Sender<TailChunk>,
) -> Result<(), TailError> {
    let mut follower = Follower::new(reader.clone(), selection, begin, false);
    let mut listed = false;
    loop {
        let turn = move || {
            if !listed {
                follower.list()?;
            }
            let batch = batch(&mut follower);
            Ok::<_, StoreError>((follower, batch))
        };
        let Some(turned) = whole(tokio::task::spawn_blocking(turn).await) else { return Ok(()) };
        let (back, batch) = turned?;
        if back.is_empty() {
            let selection = back.selection().clone();
            return Err(TailError::NoLog { store: reader.directory().to_owned(), selection });
        }
        follower = back;
        listed = true;
        if batch.is_empty() {
            return Ok(());
        }
        for chunk in batch {
            if to.send(chunk).await.is_err() {
                return Ok(());
            }
        }
    }
}

async fn follow_logs(
    reader: Reader,
    selection: Selection,
    begin: Begin,
    wakes: Wakes,
    to: mpsc::Sender<TailChunk>,
) -> Result<(), TailError> {
    let Wakes { mut commits, mut events } = wakes;
    let mut follower = Follower::new(reader, selection, begin, true);
    let mut next_look = Instant::now();
    let mut next_listing = next_look;
    let mut last_sent = next_look;
    let mut first = true;
    // A listing was put off, which is not left to the poll.
    let mut owed = false;
    loop {
        let now = Instant::now();
        let (look, list) = (now >= next_look, now >= next_listing);
        if look {
            // What changes from here on wakes again.
            commits.borrow_and_update();
        }
        let turn = move || {
            let started = Instant::now();
            let listing = if look && list {
                if let Some(events) = &mut events {
                    events.watch();
                }
                follower.list()?;
                started.elapsed()
            } else {
                Duration::ZERO
            };
            if look {
                follower.refresh();
            }
            let looked = started.elapsed();
            let batch = batch(&mut follower);
            Ok::<_, StoreError>((follower, events, batch, looked - listing, listing))
        };
        let Some(turned) = whole(tokio::task::spawn_blocking(turn).await) else { return Ok(()) };
        let (looking, listing, mut chunks);
        (follower, events, chunks, looking, listing) = turned?;
        if look {
            let now = Instant::now();
            next_look = now + PAUSE.max(looking * PAUSE_PER_LOOK);
            owed = !list;
            if list {
                next_listing = now + LISTING_PAUSE.max(listing * PAUSE_PER_LISTING);
            }
        }
        if std::mem::take(&mut first) && follower.is_empty() {
            let note = format!("there is no {} yet; waiting for it", follower.selection());
            chunks.push(TailChunk { note, ..TailChunk::default() });
        }
        if chunks.is_empty() && last_sent.elapsed() >= BEAT {
            chunks.push(TailChunk::default());
        }
        let had_some = !chunks.is_empty();
        for chunk in chunks {
            if to.send(chunk).await.is_err() {
                return Ok(());
            }
            last_sent = Instant::now();
        }
        if had_some {
            // There may be more.
            continue;
        }
        let at_most = if owed { next_listing.saturating_duration_since(Instant::now()).min(POLL) } else { POLL };
        tokio::select! {
            () = to.closed() => return Ok(()),
            woken = woken(&mut commits, next_look, at_most) => if !woken {
                // The server has ended.
                return Ok(());
            },
        }
    }
}

/// Waits for a commit, at most for `at_most`, and then until it is time for the next look. False if none can come any more.
async fn woken(commits: &mut tokio::sync::watch::Receiver<u64>, next_look: Instant, at_most: Duration) -> bool {
    match tokio::time::timeout(at_most, commits.changed()).await {
        Ok(Err(_)) => return false,
        Ok(Ok(())) => commits.mark_changed(),
        Err(_) => {}
    }
    tokio::time::sleep_until(next_look).await;
    true
}

fn batch(follower: &mut Follower) -> Vec<TailChunk> {
    let mut chunks = Vec::new();
    let mut bytes = 0;
    while bytes < BATCH
        && let Some(chunk) = follower.read_next()
    {
        bytes += chunk.payload.len();
        chunks.push(chunk);
    }
    chunks
}

#[cfg(test)]
mod tests;
