//! Which openings are live, and how much may be on its way to them.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::oneshot;

use crate::names::LogKey;

/// Bytes that all sites together may have on their way to this server. What a stalled store leaves unread waits in
/// memory, so this is what the server's memory is bounded by.
const POOL: u64 = 256 << 20;
/// The most for one log: it fills a link of 4 GBit/s and 50 ms. A site keeps so much in memory while the server is far.
pub const LARGEST_CREDIT: u64 = 24 << 20;
/// The least for one log, however many there are: less than this costs more in frames than it saves.
const SMALLEST_CREDIT: u64 = 128 << 10;

/// What has become of an opening that a newer one of the same log has fenced off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// The same host has come back, and goes on in the newer one.
    SameHost,
    /// Another host streams the log now.
    OtherHost,
    /// Nobody is behind the newer one: it came late, from a connection or a process that is gone.
    Nobody,
}

/// An opening, as long as it is not known what has become of it.
struct Entry {
    instance: Vec<u8>,
    takeover: oneshot::Sender<Takeover>,
}

struct Live {
    epoch: u64,
    entry: Entry,
    /// Whether its site was heard after it was opened.
    heard: bool,
    /// Those that it has fenced off and that wait for it to be heard.
    fenced: Vec<Entry>,
}

impl Live {
    /// Tells those who wait that it is heard.
    fn takes_over(&mut self) {
        for older in self.fenced.drain(..) {
            let same = older.instance == self.entry.instance;
            // One that is over already has nothing to learn.
            let _ = older.takeover.send(if same { Takeover::SameHost } else { Takeover::OtherHost });
        }
    }
}

/// The live openings of a server.
#[derive(Default)]
pub struct Registry {
    live: Mutex<HashMap<LogKey, Live>>,
    busy: AtomicUsize,
}

impl Registry {
    /// Enters an opening. The newest wins at once: the store fences the one before, which learns what has become of it when
    /// this one is heard. Returns where the opening will learn of its own takeover; an error there is [`Takeover::Nobody`].
    pub fn enter(&self, key: &LogKey, epoch: u64, instance: &[u8]) -> oneshot::Receiver<Takeover> {
        let (takeover, taken_over) = oneshot::channel();
        let entry = Entry { instance: instance.to_vec(), takeover };
        let mut live = self.lock();
        match live.get_mut(key) {
            // Two opened at the same moment, and the other one was recorded later.
            Some(newer) if newer.epoch > epoch => {
                newer.fenced.push(entry);
                if newer.heard {
                    newer.takes_over();
                }
            }
            _ => {
                let older = live.remove(key);
                let fenced = older.map(|older| older.fenced.into_iter().chain([older.entry]).collect());
                let newest = Live { epoch, entry, heard: false, fenced: fenced.unwrap_or_default() };
                live.insert(key.clone(), newest);
            }
        }
        taken_over
    }

    /// The site of an opening is there.
    pub fn heard(&self, key: &LogKey, epoch: u64) {
        if let Some(newest) = self.lock().get_mut(key).filter(|newest| newest.epoch == epoch) {
            newest.heard = true;
            newest.takes_over();
        }
    }

    /// The connection of an opening is gone, and brings nothing more for it.
    pub fn detached(&self, key: &LogKey, epoch: u64) {
        if let Some(newest) = self.lock().get_mut(key).filter(|newest| newest.epoch == epoch && !newest.heard) {
            for older in newest.fenced.drain(..) {
                let _ = older.takeover.send(Takeover::Nobody);
            }
        }
    }

    /// An opening is over.
    pub fn leave(&self, key: &LogKey, epoch: u64) {
        let mut live = self.lock();
        if live.get(key).is_some_and(|newest| newest.epoch == epoch) {
            live.remove(key);
        }
    }

    /// Whether the log has a live opening.
    pub fn is_live(&self, key: &LogKey) -> bool {
        self.lock().contains_key(key)
    }

    /// What one log may have on its way, out of what all share who are sending.
    pub fn credit(&self) -> u64 {
        let busy = self.busy.load(Ordering::Relaxed).max(1) as u64;
        (POOL / busy).clamp(SMALLEST_CREDIT, LARGEST_CREDIT)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<LogKey, Live>> {
        self.live.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Whether one log is sending; those that are share the pool.
pub struct Busy<'a> {
    registry: &'a Registry,
    busy: bool,
}

impl<'a> Busy<'a> {
    pub fn new(registry: &'a Registry) -> Self {
        Self { registry, busy: false }
    }

    pub fn set(&mut self, busy: bool) {
        if busy && !self.busy {
            self.registry.busy.fetch_add(1, Ordering::Relaxed);
        } else if !busy && self.busy {
            self.registry.busy.fetch_sub(1, Ordering::Relaxed);
        }
        self.busy = busy;
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::{JobName, LogName, SiteName};

    fn key() -> LogKey {
        LogKey {
            job: JobName::new("job").unwrap(),
            site: SiteName::new("site").unwrap(),
            log: LogName::new("log").unwrap(),
        }
    }

    #[test]
    fn the_newest_opening_wins_and_the_older_learns_of_it() {
        let registry = Registry::default();
        let mut first = registry.enter(&key(), 1, b"a");
        let mut again = registry.enter(&key(), 2, b"a");
        registry.heard(&key(), 2);
        assert_eq!(first.try_recv(), Ok(Takeover::SameHost));
        let mut other = registry.enter(&key(), 3, b"b");
        assert!(again.try_recv().is_err(), "the other host is not heard yet");
        registry.heard(&key(), 3);
        assert_eq!(again.try_recv(), Ok(Takeover::OtherHost));
        registry.detached(&key(), 3);
        assert!(other.try_recv().is_err());
        registry.leave(&key(), 2);
        assert!(registry.is_live(&key()), "an opening that is over does not remove its successor");
    }

    #[test]
    fn an_opening_that_nobody_is_behind_sends_nobody_away() {
        let registry = Registry::default();
        let mut alive = registry.enter(&key(), 1, b"a");
        let mut late = registry.enter(&key(), 2, b"b");
        registry.detached(&key(), 2);
        assert_eq!(alive.try_recv(), Ok(Takeover::Nobody));
        let mut again = registry.enter(&key(), 3, b"a");
        registry.heard(&key(), 3);
        assert_eq!(late.try_recv(), Ok(Takeover::OtherHost));
        assert!(again.try_recv().is_err());
    }

    #[test]
    fn an_opening_that_was_fenced_twice_learns_from_the_newest_what_has_become_of_it() {
        let registry = Registry::default();
        let mut first = registry.enter(&key(), 1, b"a");
        registry.enter(&key(), 2, b"b");
        let mut newest = registry.enter(&key(), 3, b"c");
        registry.detached(&key(), 2);
        registry.leave(&key(), 2);
        assert!(first.try_recv().is_err(), "the newest may be heard yet");
        registry.heard(&key(), 3);
        assert_eq!(first.try_recv(), Ok(Takeover::OtherHost));
        assert!(newest.try_recv().is_err());
    }

    #[test]
    fn an_opening_that_was_recorded_earlier_loses_also_when_it_enters_later() {
        let registry = Registry::default();
        let mut newer = registry.enter(&key(), 2, b"b");
        let mut older = registry.enter(&key(), 1, b"a");
        registry.heard(&key(), 2);
        assert_eq!(older.try_recv(), Ok(Takeover::OtherHost));
        let mut later = registry.enter(&key(), 1, b"a");
        assert_eq!(later.try_recv(), Ok(Takeover::OtherHost));
        assert!(newer.try_recv().is_err());
    }

    #[test]
    fn many_busy_logs_share_the_pool() {
        let registry = Registry::default();
        assert_eq!(registry.credit(), LARGEST_CREDIT);
        let mut logs: Vec<_> = (0..64).map(|_| Busy::new(&registry)).collect();
        logs.iter_mut().for_each(|log| log.set(true));
        assert_eq!(registry.credit(), POOL / 64);
        drop(logs);
        assert_eq!(registry.credit(), LARGEST_CREDIT);
    }
}
