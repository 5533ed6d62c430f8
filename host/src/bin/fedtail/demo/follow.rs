//! Follows the logs in the server's store while they are written to, as a reader beside the server.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use fedtail::source::{Subscription, Watcher};
use fedtail::store::{LogReader, Reader, StoreError};
use tokio::sync::Notify;

use super::delay::Mark;
use super::recording::Log;
use crate::exit::Failure;

/// How often to look when no event came. Events can be lost; what they brought is then seen this late.
const LOOK: Duration = Duration::from_millis(50);
/// How much is read at a time.
const PIECE: usize = 64 << 10;

/// A line that has arrived: of which log, by its place in the list, and without its line feed.
pub type Arrived = (usize, Vec<u8>);

/// Follows logs of one store.
pub struct Follower {
    logs: Vec<Followed>,
    changed: Arc<Notify>,
    _subscriptions: Vec<Subscription>,
}

struct Followed {
    reader: LogReader,
    seen: Vec<Mark>,
    read: u64,
    lines: Lines,
}

impl Follower {
    /// Begins to follow the logs; none while there is one that no site has opened yet.
    pub fn attach(store: &Path, logs: &[Log]) -> Result<Option<Self>, Failure> {
        let reader = Reader::open(store)?;
        let mut followed = Vec::new();
        for log in logs {
            match reader.log(&log.key) {
                Ok(reader) => followed.push(Followed { reader, seen: Vec::new(), read: 0, lines: Lines::default() }),
                Err(StoreError::NoSuchLog { .. }) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        let watcher = Watcher::new().map_err(Failure::start)?;
        let changed = Arc::new(Notify::new());
        // Each commit ends with a record in the log's journal. A directory that two logs share is watched once.
        let journals = logs.iter().map(|log| store.join(".fedtail").join(&log.key.job).join(&log.key.site));
        let subscribe = |directory: std::path::PathBuf| {
            let changed = changed.clone();
            watcher.subscribe(&directory, move || changed.notify_one())
        };
        let subscriptions = journals.map(subscribe).collect();
        Ok(Some(Self { logs: followed, changed, _subscriptions: subscriptions }))
    }

    /// Hands on what arrives, until `end` is notified and what had arrived by then is handed on too. Returns for each log
    /// how long it was seen to be when.
    pub async fn follow(mut self, end: &Notify, arrived: Option<Sender<Arrived>>) -> Result<Vec<Vec<Mark>>, Failure> {
        loop {
            let ended = tokio::select! {
                () = self.changed.notified() => false,
                () = tokio::time::sleep(LOOK) => false,
                () = end.notified() => true,
            };
            for (number, log) in self.logs.iter_mut().enumerate() {
                log.look(ended, |line| {
                    // Who prints may have gone; the delays are measured all the same.
                    arrived.as_ref().map(|arrived| arrived.send((number, line)));
                })?;
            }
            if ended {
                return Ok(self.logs.into_iter().map(|log| log.seen).collect());
            }
        }
    }
}

impl Followed {
    fn look(&mut self, last: bool, mut arrived: impl FnMut(Vec<u8>)) -> Result<(), StoreError> {
        let stored = self.reader.refresh()?.stored;
        if stored > self.read {
            self.seen.push(Mark { length: stored, at: Instant::now() });
        }
        while self.read < stored {
            let bytes = self.reader.read_at(self.read, PIECE)?;
            self.read += bytes.len() as u64;
            self.lines.add(&bytes, &mut arrived);
        }
        if last {
            self.lines.end(&mut arrived);
        }
        Ok(())
    }
}

/// Cuts what arrives into lines.
#[derive(Default)]
struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    fn add(&mut self, bytes: &[u8], mut whole: impl FnMut(Vec<u8>)) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(piece);
            if self.begun.ends_with(b"\n") {
                self.begun.pop();
                whole(std::mem::take(&mut self.begun));
            }
        }
    }

    /// A last line need not have a line feed.
    fn end(&mut self, whole: impl FnOnce(Vec<u8>)) {
        if !self.begun.is_empty() {
            whole(std::mem::take(&mut self.begun));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_their_bytes_arrive() {
        let (mut lines, mut whole) = (Lines::default(), Vec::new());
        for piece in ["a", "b\n\nc\nd", "e", "\n", "", "f"] {
            lines.add(piece.as_bytes(), |line| whole.push(line));
        }
        assert_eq!(whole, [&b"ab"[..], b"", b"c", b"de"]);
        lines.end(|line| whole.push(line));
        lines.end(|_| panic!("there is one end"));
        assert_eq!(whole.last().unwrap(), b"f");
    }
}
