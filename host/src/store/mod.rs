//! The server's store: the only truth about how far a log has come.
//!
//! Bytes and the source position that they reach are committed in one step, so whoever begins to send asks here and goes
//! on from there: reconnecting, restarting and recovering are one path, and every byte lands exactly once.
//!
//! # What is promised
//! - What [`StoredLog::commit`] has taken is there after this process has ended, however it did. With
//!   [`Durability::Flush`] it is also there after the machine has lost its power; without, the log then goes back to a
//!   beginning of itself that holds, and the site sends the rest again.
//! - A batch is there whole, with its position, or not at all.
//! - What was not written by this store is not written to.
//! - A full disk refuses a batch and harms nothing; the same batch can be committed later. Openings and ends have their
//!   room reserved.
//!
//! # What is where
//! A log's bytes are in `STORE/<job>/<site>/<log>`, as they are committed, for `tail -f` and any other program that reads.
//! What is known beside them is in the log's journal under `STORE/.fedtail/`; [`Reader`] reads both while a server runs.
//! Files can be read by their owner and group.
//!
//! All of this blocks on files: call it where blocking is allowed.

pub(crate) mod boot;
mod data;
pub(crate) mod disk;
mod error;
mod journal;
mod layout;
mod lines;
mod lock;
mod log;
mod reader;
mod recovery;
mod state;
#[cfg(test)]
mod testing;

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::SystemTime;

pub use error::{CommitError, StoreError};
pub use log::{Batch, Committed, StoredLog};
pub use reader::{LogReader, Reader};
pub use state::LogState;

use crate::names::{JobName, LogKey, SiteName};

use boot::Boot;
use disk::{Disk, RealDisk};
use journal::Journal;
use lock::Lock;

/// What a commit outlives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The end of the process. Nothing is flushed, so it is the faster by far.
    #[default]
    Process,
    /// Also the loss of power: data and journal are flushed before a commit returns.
    Flush,
}

/// A store that this process, and no other, writes to. Cheap to clone; the lock is held until the last clone and the last
/// log is dropped.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// What the logs of a store share.
struct Shared {
    root: PathBuf,
    disk: Box<dyn Disk>,
    durability: Durability,
    boot: Boot,
    clock: Clock,
    /// Numbers the unfinished journals.
    unfinished: AtomicU64,
    slots: Mutex<HashMap<LogKey, Arc<Slot>>>,
    /// None where no other process can use the disk, and once the store is closed.
    lock: Mutex<Option<Lock>>,
    closed: AtomicBool,
}

/// Tells the wall-clock time.
pub(crate) type Clock = Box<dyn Fn() -> SystemTime + Send + Sync>;

/// Where a log is, once for the process. Only who holds the log keeps its files open.
#[derive(Default)]
struct Slot {
    log: Mutex<Weak<StoredLog>>,
}

/// Slots that nobody uses are looked for when there are this many, and again each time that twice as many are used.
const SLOTS: usize = 64;

impl Store {
    /// Opens the store, and makes it if it is not there. Takes its lock: a second server is refused with
    /// [`StoreError::Locked`]. Logs are looked at when they are first used.
    pub fn open(root: &Path, durability: Durability) -> Result<Self, StoreError> {
        let failed = |action, path| move |source| StoreError::Io { action, path, source };
        let disk = RealDisk::open(root, true).map_err(failed("open the store", root.to_owned()))?;
        let own = Path::new(layout::OWN);
        disk.create_directories(own).map_err(failed("make the directory", root.join(own)))?;
        let lock = Lock::take(&disk, root)?;
        Self::open_on(root, Box::new(disk), durability, Boot::current(), Box::new(SystemTime::now), Some(lock))
    }

    /// Opens the store on a disk that no other process can use, so that it needs no lock.
    pub(crate) fn open_alone(
        root: &Path,
        disk: Box<dyn Disk>,
        durability: Durability,
        boot: Boot,
        clock: Clock,
    ) -> Result<Self, StoreError> {
        Self::open_on(root, disk, durability, boot, clock, None)
    }

    /// Opens the store on any disk. `root` is for messages alone.
    fn open_on(
        root: &Path,
        disk: Box<dyn Disk>,
        durability: Durability,
        boot: Boot,
        clock: Clock,
        lock: Option<Lock>,
    ) -> Result<Self, StoreError> {
        let unfinished = AtomicU64::new(0);
        let slots = Mutex::default();
        let (root, lock, closed) = (root.to_owned(), Mutex::new(lock), AtomicBool::new(false));
        let shared = Shared { root, disk, durability, boot, clock, unfinished, slots, lock, closed };
        let new = Path::new(layout::NEW);
        shared.disk.create_directories(new).map_err(shared.failed("make the directory", new))?;
        // Journals that a process left unfinished when it ended.
        for name in shared.disk.list(new).map_err(shared.failed("list", new))? {
            let path = new.join(name);
            shared.disk.remove(&path).map_err(shared.failed("remove", &path))?;
        }
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The log: all callers get the same one, for as long as anybody holds it. Nothing is written for a log that is not
    /// there yet until [`StoredLog::open_stream`]. The first use after the machine went down reads the log's data.
    ///
    /// Refused in words where the files can't be trusted: data without a journal, or less of it than was committed.
    pub fn log(&self, key: &LogKey) -> Result<Arc<StoredLog>, StoreError> {
        if self.shared.closed.load(Ordering::Relaxed) {
            return Err(StoreError::Closed { path: self.shared.root.clone() });
        }
        let slot = {
            let mut slots = hold(&self.shared.slots);
            if !slots.contains_key(key) && slots.len() >= SLOTS && slots.len().is_power_of_two() {
                slots.retain(|_, slot| Arc::strong_count(slot) > 1 || hold(&slot.log).strong_count() > 0);
            }
            Arc::clone(slots.entry(key.clone()).or_default())
        };
        // Only this log waits while it is looked at, which can take a while.
        let mut log = hold(&slot.log);
        if let Some(log) = log.upgrade() {
            return Ok(log);
        }
        let found = Arc::new(StoredLog::load(Arc::clone(&self.shared), key.clone())?);
        *log = Arc::downgrade(&found);
        Ok(found)
    }

    /// Lets go of the lock, whoever still holds a clone. No log may be held any more: whoever takes the lock next relies on
    /// writing alone.
    pub(crate) fn close(&self) {
        self.shared.closed.store(true, Ordering::Relaxed);
        hold(&self.shared.lock).take();
    }

    /// All logs that were ever opened, in order.
    pub fn logs(&self) -> Result<Vec<LogKey>, StoreError> {
        layout::logs(&*self.shared.disk).map_err(self.shared.failed("list", Path::new(layout::OWN)))
    }

    /// The logs of one job and site that were ever opened, in no order.
    pub fn logs_of(&self, job: &JobName, site: &SiteName) -> Result<Vec<LogKey>, StoreError> {
        let listed = layout::logs_of_site(&*self.shared.disk, job, site);
        listed.map_err(self.shared.failed("list", Path::new(layout::OWN)))
    }

    /// Where a log's data file is, for messages.
    pub fn path(&self, key: &LogKey) -> PathBuf {
        self.shared.full(&layout::data(key))
    }
}

impl Shared {
    /// A path as a person would write it.
    fn full(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }

    /// Says what could not be done to which file.
    fn failed(&self, action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = self.full(path);
        move |source| StoreError::Io { action, path, source }
    }

    fn flushes(&self) -> bool {
        self.durability == Durability::Flush
    }

    /// Gives a log a new journal that says `state` and nothing else, in place of one that it may have. `flush` makes what is
    /// in it last; its name does after [`Shared::sync_parents`].
    fn create_journal(&self, key: &LogKey, state: &LogState, flush: bool) -> Result<Journal, StoreError> {
        let path = layout::journal(key);
        self.create_parents(&path)?;
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let new = Path::new(layout::NEW).join(number.to_string());
        Journal::create(&*self.disk, new, &path, self.boot, &state.snapshot(), flush)
            .map_err(self.failed("write", &path))
    }

    /// Makes the directories that a file is in.
    fn create_parents(&self, path: &Path) -> Result<(), StoreError> {
        let parent = path.parent().unwrap_or(Path::new(""));
        self.disk.create_directories(parent).map_err(self.failed("make the directory", parent))
    }

    /// Makes a file's name last, and those of the directories that it is in.
    fn sync_parents(&self, path: &Path) -> Result<(), StoreError> {
        for directory in path.ancestors().skip(1) {
            self.disk.sync_directory(directory).map_err(self.failed("flush the directory", directory))?;
        }
        Ok(())
    }
}

/// Locks. What the store's locks guard is never left half changed, so a panic elsewhere does not spoil it.
fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_server_on_a_store_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let first = Store::open(dir.path(), Durability::Process).unwrap();
        let refused = Store::open(dir.path(), Durability::Process).map(|_| ()).unwrap_err();
        assert!(matches!(&refused, StoreError::Locked { .. }), "{refused}");
        let words = format!("in use by another fedtail server (process {})", std::process::id());
        assert!(refused.to_string().contains(&words), "{refused}");
        let log = first.log(&testing::key()).unwrap();
        drop(first);
        assert!(Store::open(dir.path(), Durability::Process).is_err(), "a log that is in use holds the store");
        drop(log);
        Store::open(dir.path(), Durability::Process).unwrap();
    }

    #[test]
    fn a_store_that_cant_be_made_is_told_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, b"not a directory").unwrap();
        let refused = Store::open(&file.join("store"), Durability::Process).map(|_| ()).unwrap_err().to_string();
        assert!(refused.contains("file/store:") && refused.contains("a file is in the way"), "{refused}");
    }

    #[test]
    fn others_than_the_owner_and_its_group_can_read_nothing() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        let store = Store::open(&root, Durability::Process).unwrap();
        store.log(&testing::key()).unwrap().open_stream(b"one", b"").unwrap();
        for path in ["", "job", "job/site", "job/site/log", ".fedtail", ".fedtail/job/site/log", ".fedtail/.lock"] {
            let mode = std::fs::metadata(root.join(path)).unwrap().permissions().mode();
            assert_eq!(mode & 0o027, 0, "{path} has mode {mode:o}");
        }
    }

    #[test]
    fn logs_that_nobody_uses_are_forgotten_and_found_again() {
        let place = testing::Place::new();
        let store = place.open();
        let key = |number: usize| LogKey { log: format!("{number}").parse().unwrap(), ..testing::key() };
        let held = store.log(&key(0)).unwrap();
        for number in 0..10 * SLOTS {
            store.log(&key(number)).unwrap().open_stream(b"one", b"").unwrap();
        }
        assert!(hold(&store.shared.slots).len() <= SLOTS);
        assert!(Arc::ptr_eq(&held, &store.log(&key(0)).unwrap()));
        assert_eq!(store.log(&key(1)).unwrap().state().epoch, 1);
        assert_eq!(store.logs().unwrap().len(), 10 * SLOTS);
    }
}
