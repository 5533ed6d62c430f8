//! The server's disk: it fills up, stops a process in the middle of a write, and forgets at a loss of power what was not
//! flushed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::chance::Chance;
use crate::clock::Clock;
use crate::store::disk::{Disk, DiskFile, Open, Status};

use super::time::SimulatedTime;

/// A change of a file that a loss of power may undo.
#[derive(Clone)]
enum Change {
    Bytes(u64, Vec<u8>),
    Length(u64),
}

/// A change of names that a loss of power may undo.
#[derive(Clone)]
enum Naming {
    Made(PathBuf, usize),
    Renamed(PathBuf, PathBuf),
    Removed(PathBuf),
}

#[derive(Default)]
struct Blob {
    bytes: Vec<u8>,
    /// What a loss of power leaves for sure, and what came on top of it.
    flushed: Vec<u8>,
    changes: Vec<Change>,
    modified: u64,
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Change::Bytes(at, data) => {
                let (at, end) = (*at as usize, *at as usize + data.len());
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[at..end].copy_from_slice(data);
            }
            Change::Length(len) => bytes.resize(*len as usize, 0),
        }
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Naming::Made(path, blob) => {
                names.insert(path.clone(), *blob);
            }
            Naming::Renamed(from, to) => {
                if let Some(blob) = names.remove(from) {
                    names.insert(to.clone(), blob);
                }
            }
            Naming::Removed(path) => {
                names.remove(path);
            }
        }
    }
}

struct State {
    blobs: Vec<Blob>,
    names: BTreeMap<PathBuf, usize>,
    flushed_names: BTreeMap<PathBuf, usize>,
    namings: Vec<Naming>,
    directories: BTreeSet<PathBuf>,
    time: SimulatedTime,
    /// Which process may use the disk; one that ended can't.
    process: u64,
    /// Bytes that can still be written.
    room: u64,
    read_only: bool,
    /// Changes that are still done before the process is killed, in the middle of the one after them.
    kill_after: Option<u64>,
    killed: bool,
}

/// A simulated disk; clones are the same one, as the same process sees it.
#[derive(Clone)]
pub(super) struct SimulatedDisk {
    state: Arc<Mutex<State>>,
    process: u64,
}

impl SimulatedDisk {
    pub fn new(time: SimulatedTime) -> Self {
        let state = State {
            blobs: Vec::new(),
            names: BTreeMap::new(),
            flushed_names: BTreeMap::new(),
            namings: Vec::new(),
            directories: BTreeSet::from([PathBuf::new()]),
            time,
            process: 0,
            room: u64::MAX,
            read_only: false,
            kill_after: None,
            killed: false,
        };
        Self { state: Arc::new(Mutex::new(state)), process: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk for a new process; what the one before still holds fails from now on.
    pub fn next_process(&self) -> Self {
        let mut state = self.lock();
        state.process += 1;
        state.kill_after = None;
        state.killed = false;
        Self { state: self.state.clone(), process: state.process }
    }

    /// Ends the process.
    pub fn kill(&self) {
        let mut state = self.lock();
        state.process += 1;
        state.kill_after = None;
    }

    /// Kills the process in the middle of a change, after so many more.
    pub fn kill_after(&self, changes: u64) {
        self.lock().kill_after = Some(changes);
    }

    /// Whether the process was killed by [`kill_after`](Self::kill_after).
    pub fn was_killed(&self) -> bool {
        self.lock().killed
    }

    /// How many bytes can still be written.
    pub fn set_room(&self, room: u64) {
        self.lock().room = room;
    }

    /// Refuses all changes, or none any more.
    pub fn set_read_only(&self, read_only: bool) {
        self.lock().read_only = read_only;
    }

    /// Forgets by chance what was not flushed: of each file any of the changes, of the names the last ones.
    pub fn lose_power(&self, chance: &mut Chance) {
        let mut state = self.lock();
        let state = &mut *state;
        state.process += 1;
        state.kill_after = None;
        for blob in &mut state.blobs {
            for change in std::mem::take(&mut blob.changes) {
                match change {
                    _ if chance.one_in(2) => {}
                    // Half of it had reached the disk.
                    Change::Bytes(at, mut data) if chance.one_in(4) => {
                        data.truncate(data.len() / 2);
                        Change::Bytes(at, data).apply(&mut blob.flushed);
                    }
                    change => change.apply(&mut blob.flushed),
                }
            }
            blob.bytes = blob.flushed.clone();
        }
        let namings = std::mem::take(&mut state.namings);
        let kept = chance.below(namings.len() as u64 + 1) as usize;
        namings[..kept].iter().for_each(|naming| naming.apply(&mut state.flushed_names));
        state.names = state.flushed_names.clone();
    }

    /// Loses the files below a directory, as a backup does that did not have them. All else is as if it was flushed.
    pub fn lose(&self, directory: &Path) {
        let mut state = self.lock();
        state.names.retain(|path, _| !path.starts_with(directory));
        state.flushed_names = state.names.clone();
        state.namings.clear();
        for blob in &mut state.blobs {
            blob.flushed = blob.bytes.clone();
            blob.changes.clear();
        }
    }

    /// What a file holds now, as any program that reads it sees it.
    pub fn read(&self, path: &Path) -> Vec<u8> {
        let state = self.lock();
        state.names.get(path).map(|blob| state.blobs[*blob].bytes.clone()).unwrap_or_default()
    }
}

impl State {
    /// What every operation begins with.
    fn check(&self, process: u64) -> io::Result<()> {
        if process != self.process || self.killed {
            return Err(io::Error::other("the process has ended"));
        }
        Ok(())
    }

    /// What every change begins with. True: it is the one in whose middle the process is killed.
    fn change(&mut self, process: u64) -> io::Result<bool> {
        self.check(process)?;
        if self.read_only {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        match &mut self.kill_after {
            Some(0) => {
                self.killed = true;
                self.kill_after = None;
                Ok(true)
            }
            Some(left) => {
                *left -= 1;
                Ok(false)
            }
            None => Ok(false),
        }
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.namings.push(naming);
    }

    fn alter(&mut self, blob: usize, change: Change) {
        let now = self.time.wall();
        let blob = &mut self.blobs[blob];
        change.apply(&mut blob.bytes);
        blob.changes.push(change);
        blob.modified = now;
    }

    fn status(&self, blob: usize) -> Status {
        let modified = UNIX_EPOCH + Duration::from_nanos(self.blobs[blob].modified);
        Status { len: self.blobs[blob].bytes.len() as u64, inode: blob as u64 + 1, modified }
    }

    /// As much of this as there is room for.
    fn take_room(&mut self, wanted: u64) -> u64 {
        let taken = wanted.min(self.room);
        self.room -= taken;
        taken
    }
}

fn killed() -> io::Error {
    io::Error::other("the process was killed")
}

fn not_found() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Disk for SimulatedDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        state.check(self.process)?;
        let blob = match state.names.get(path) {
            Some(blob) => *blob,
            None if how == Open::Create => {
                if state.change(self.process)? {
                    return Err(killed());
                }
                if !path.parent().is_some_and(|parent| state.directories.contains(parent)) {
                    return Err(not_found());
                }
                let blob = state.blobs.len();
                let modified = state.time.wall();
                state.blobs.push(Blob { modified, ..Blob::default() });
                state.name(Naming::Made(path.to_owned(), blob));
                blob
            }
            None => return Err(not_found()),
        };
        Ok(Box::new(SimulatedFile { disk: self.clone(), blob }))
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.check(self.process)?;
        for directory in path.ancestors() {
            if state.directories.contains(directory) {
                break;
            }
            if state.change(self.process)? {
                return Err(killed());
            }
            // A directory that is lost with the power is made again before anything is put into it, so they all stay.
            state.directories.insert(directory.to_owned());
        }
        Ok(())
    }

    fn sync_directory(&self, _path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if state.change(self.process)? {
            return Err(killed());
        }
        state.flushed_names = state.names.clone();
        state.namings.clear();
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if state.change(self.process)? {
            return Err(killed());
        }
        if !state.names.contains_key(from) {
            return Err(not_found());
        }
        state.name(Naming::Renamed(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if state.change(self.process)? {
            return Err(killed());
        }
        if !state.names.contains_key(path) {
            return Err(not_found());
        }
        state.name(Naming::Removed(path.to_owned()));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        let state = self.lock();
        state.check(self.process)?;
        if !state.directories.contains(path) {
            return Err(not_found());
        }
        let all = state.names.keys().chain(&state.directories);
        let names = all.filter(|entry| entry.parent() == Some(path)).filter_map(|entry| entry.file_name());
        Ok(names.map(OsString::from).collect())
    }

    fn status(&self, path: &Path) -> io::Result<Status> {
        let state = self.lock();
        state.check(self.process)?;
        state.names.get(path).map(|blob| state.status(*blob)).ok_or_else(not_found)
    }
}

struct SimulatedFile {
    disk: SimulatedDisk,
    blob: usize,
}

impl DiskFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let state = self.disk.lock();
        state.check(self.disk.process)?;
        let bytes = state.blobs[self.blob].bytes.get(at as usize..).unwrap_or_default();
        let length = bytes.len().min(buffer.len());
        buffer[..length].copy_from_slice(&bytes[..length]);
        Ok(length)
    }

    fn write_at(&self, buffers: &mut [IoSlice<'_>], at: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let dies = state.change(self.disk.process)?;
        let mut data: Vec<u8> = buffers.iter().flat_map(|buffer| buffer.iter().copied()).collect();
        if dies {
            data.truncate(data.len() / 2);
            state.alter(self.blob, Change::Bytes(at, data));
            return Err(killed());
        }
        let new = (at + data.len() as u64).saturating_sub(state.blobs[self.blob].bytes.len() as u64);
        let missing = new - state.take_room(new);
        data.truncate(data.len() - missing as usize);
        state.alter(self.blob, Change::Bytes(at, data));
        if missing > 0 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn status(&self) -> io::Result<Status> {
        let state = self.disk.lock();
        state.check(self.disk.process)?;
        Ok(state.status(self.blob))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        if state.change(self.disk.process)? {
            return Err(killed());
        }
        state.alter(self.blob, Change::Length(len));
        Ok(())
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        if state.change(self.disk.process)? {
            return Err(killed());
        }
        let wanted = len.saturating_sub(state.blobs[self.blob].bytes.len() as u64);
        if wanted == 0 {
            return Ok(());
        }
        if state.room < wanted {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.take_room(wanted);
        state.alter(self.blob, Change::Length(len));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        if state.change(self.disk.process)? {
            return Err(killed());
        }
        let blob = &mut state.blobs[self.blob];
        blob.flushed = blob.bytes.clone();
        blob.changes.clear();
        Ok(())
    }

    fn touch(&self, at: SystemTime) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.check(self.disk.process)?;
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        state.blobs[self.blob].modified = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        Ok(())
    }
}
