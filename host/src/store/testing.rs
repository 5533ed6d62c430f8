//! What the store's tests share: a store in a directory of its own, on a disk that can fail.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::boot::Boot;
use super::disk::{Disk, DiskFile, Open, RealDisk, Status};
use super::*;
use crate::wire::{EndKind, Position, Progress, RecordedEnd};

/// A directory with a store, which can be opened again and again.
pub(super) struct Place {
    pub dir: tempfile::TempDir,
    pub faults: Arc<Faults>,
    pub boot: Boot,
    pub durability: Durability,
    /// Seconds since the Unix epoch.
    pub now: Arc<AtomicU64>,
}

impl Place {
    pub fn new() -> Self {
        let faults = Arc::new(Faults { room: AtomicI64::new(i64::MAX), ..Faults::default() });
        let dir = tempfile::tempdir().unwrap();
        Self { dir, faults, boot: Boot([1; 16]), durability: Durability::Process, now: Arc::new(1_000_000.into()) }
    }

    /// Opens the store as a new process would.
    pub fn open(&self) -> Store {
        let disk = FaultyDisk { real: RealDisk::open(self.dir.path(), true).unwrap(), faults: self.faults.clone() };
        let now = Arc::clone(&self.now);
        let clock = move || UNIX_EPOCH + Duration::from_secs(now.load(SeqCst));
        Store::open_on(self.dir.path(), Box::new(disk), self.durability, self.boot, Box::new(clock), None).unwrap()
    }

    /// The log of [`key`], as a new process would find it.
    pub fn log(&self) -> Arc<StoredLog> {
        self.open().log(&key()).unwrap()
    }

    pub fn data_path(&self) -> PathBuf {
        self.dir.path().join("job/site/log")
    }

    pub fn journal_path(&self) -> PathBuf {
        self.dir.path().join(".fedtail/job/site/log")
    }

    /// What the data file holds.
    pub fn data(&self) -> Vec<u8> {
        std::fs::read(self.data_path()).unwrap()
    }
}

pub(super) fn key() -> LogKey {
    LogKey { job: "job".parse().unwrap(), site: "site".parse().unwrap(), log: "log".parse().unwrap() }
}

/// A batch of these bytes that goes behind `base` and says so in its position.
pub(super) fn batch(base: u64, data: &'static [u8]) -> Batch {
    let received = data.len() as u64;
    let at = Position { offset: base + received, ..Position::default() };
    let progress = Some(Progress { at: Some(at), ..Progress::default() });
    Batch { base, received, data: vec![Bytes::from_static(data)], progress, ..Batch::default() }
}

/// The position's offset.
pub(super) fn offset(state: &LogState) -> u64 {
    state.progress.as_ref().and_then(|progress| progress.at.as_ref()).map_or(0, |at| at.offset)
}

pub(super) fn end(kind: EndKind) -> RecordedEnd {
    RecordedEnd { kind: kind as i32, reason: String::new() }
}

/// What the disk does wrong, and what it was asked for.
#[derive(Default)]
pub(super) struct Faults {
    /// Bytes that can still be written or reserved; then there is no space left.
    pub room: AtomicI64,
    /// All flushes fail while this is not 0.
    pub flushes_fail: AtomicU64,
    /// The calls that changed or flushed something, since this was last emptied.
    pub calls: Mutex<Vec<String>>,
}

impl Faults {
    fn note(&self, call: &str, what: impl AsRef<Path>) {
        self.calls.lock().unwrap().push(format!("{call} {}", what.as_ref().display()));
    }

    pub fn take_calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// Takes as much of this as there is.
    fn take_room(&self, wanted: u64) -> u64 {
        let wanted = wanted as i64;
        let had = self.room.fetch_sub(wanted, SeqCst);
        if had < wanted {
            self.room.store(0, SeqCst);
        }
        had.min(wanted) as u64
    }

    fn flush(&self) -> io::Result<()> {
        if self.flushes_fail.load(SeqCst) > 0 { Err(io::Error::from_raw_os_error(5)) } else { Ok(()) }
    }
}

fn no_space() -> io::Error {
    io::Error::from_raw_os_error(28)
}

struct FaultyDisk {
    real: RealDisk,
    faults: Arc<Faults>,
}

struct FaultyFile {
    real: Box<dyn DiskFile>,
    faults: Arc<Faults>,
    name: &'static str,
}

impl Disk for FaultyDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let real = self.real.open(path, how)?;
        let name = if path.starts_with(layout::OWN) { "journal" } else { "data" };
        Ok(Box::new(FaultyFile { real, faults: self.faults.clone(), name }))
    }
    fn create_directories(&self, path: &Path) -> io::Result<()> {
        self.real.create_directories(path)
    }
    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        self.faults.note("sync directory", path);
        self.faults.flush()?;
        self.real.sync_directory(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.faults.note("rename to", to);
        self.real.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.faults.note("remove", path);
        self.real.remove(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.real.list(path)
    }
    fn status(&self, path: &Path) -> io::Result<Status> {
        self.real.status(path)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        self.real.read_at(buffer, at)
    }
    fn write_at(&self, buffers: &mut [IoSlice<'_>], at: u64) -> io::Result<()> {
        self.faults.note("write", self.name);
        let whole: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        // Room that was reserved is there.
        let reserved = self.real.status()?.len.saturating_sub(at);
        let room = reserved + self.faults.take_room((whole.len() as u64).saturating_sub(reserved));
        let fits = whole.len().min(room as usize);
        self.real.write_at(&mut [IoSlice::new(&whole[..fits])], at)?;
        if fits < whole.len() { Err(no_space()) } else { Ok(()) }
    }
    fn status(&self) -> io::Result<Status> {
        self.real.status()
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.note("set length", self.name);
        self.real.set_len(len)
    }
    fn allocate(&self, len: u64) -> io::Result<()> {
        self.faults.note("allocate", self.name);
        let wanted = len.saturating_sub(self.real.status()?.len);
        if self.faults.take_room(wanted) < wanted {
            return Err(no_space());
        }
        self.real.allocate(len)
    }
    fn sync(&self) -> io::Result<()> {
        self.faults.note("sync", self.name);
        self.faults.flush()?;
        self.real.sync()
    }
    fn touch(&self, at: SystemTime) -> io::Result<()> {
        self.real.touch(at)
    }
}
