//! One log of a site, as a sequence of files.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::directory::{Directory, Entry, RealDirectory, Stat};
use super::error::SourceError;
use super::gap::{gap, join};
use super::held::{Held, Text};
use super::siblings::{Direction, Family};
use super::{AnchorKey, FileRef, Found, Next};
use crate::broken::{Rule, is_broken};
use crate::wire::{Gap, GapReason, Position, Progress};

/// How many files that were read to their end are named in a progress: enough for what rotation keeps as a rule. Older ones
/// are recognised by their place before these.
pub(super) const MOST_CONSUMED: usize = 16;

/// One log of a site, as the sequence of files that it was written to.
///
/// The files of a log named `log.txt` are itself and `log.txt.*`, `log.txt-*`, `log-*.txt` and `log.*.txt`, except compressed
/// files (`.gz`, `.xz`, `.zst`, `.bz2`) and what editors and copying programs leave (`.swp`, `.tmp`, `~`).
///
/// # Example
///
/// ```
/// use fedtail::source::{AnchorKey, LogSource, Next};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("log.txt");
/// std::fs::write(&path, "epoch 1\n")?;
/// let mut source = LogSource::open(&path, AnchorKey::from_secret(b"the site's private key"))?;
/// let Next::Found(found) = source.resume(None, false)? else { panic!("the log is there") };
/// let bytes = source.read(found.file, found.offset, 4096)?;
/// assert_eq!(bytes, "epoch 1\n");
/// let progress = source.progress_at(found.file, 8)?; // to be stored together with the bytes
/// # assert_eq!(progress.at.unwrap().offset, 8);
/// source.acknowledged(found.file, 8);
/// assert_eq!(source.after(found.file)?, Next::NoneYet);
/// # Ok(())
/// # }
/// ```
pub struct LogSource {
    pub(super) directory: Box<dyn Directory>,
    pub(super) family: Family,
    /// The log, for words.
    pub(super) path: PathBuf,
    pub(super) key: AnchorKey,
    /// The files that are held, oldest first; the live one last.
    pub(super) chain: Vec<Held>,
    /// Files beside the log that are no part of it as far as is known: copies.
    pub(super) strangers: Vec<Held>,
    /// Files that were opened while others were being renamed, until the next look puts them all in order.
    pub(super) arriving: Vec<Held>,
    /// Files in the directory that were read to their end and let go.
    pub(super) done: Vec<Stat>,
    /// Files that were read to their end and let go, by their text; newest last.
    pub(super) consumed: Vec<Position>,
    /// A loss that is told with the next file that is entered.
    pub(super) owed: Option<Gap>,
    /// A loss in a file that is let go, which is told at the next occasion.
    pub(super) untold: Option<Gap>,
    /// Which way numbers in names run, once it was seen.
    pub(super) direction: Option<Direction>,
    /// Whether reading has begun.
    pub(super) entered: bool,
    /// The last look.
    pub(super) looked: Option<Vec<Entry>>,
    /// The directory's stamp at the last look.
    pub(super) stamp: Option<u64>,
    next_reference: u32,
}

impl LogSource {
    /// The log `name` in a directory. Nothing is looked at yet.
    pub fn new(directory: Box<dyn Directory>, name: &OsStr, key: AnchorKey) -> Self {
        Self {
            directory,
            family: Family::new(name),
            path: name.into(),
            key,
            chain: Vec::new(),
            strangers: Vec::new(),
            arriving: Vec::new(),
            done: Vec::new(),
            consumed: Vec::new(),
            owed: None,
            untold: None,
            direction: None,
            entered: false,
            looked: None,
            stamp: None,
            next_reference: 0,
        }
    }

    /// The log at `path` on this machine. The log need not be there yet; its directory must be.
    pub fn open(path: &Path, key: AnchorKey) -> Result<Self, SourceError> {
        let not_a_log = |what| SourceError::NotALog { path: path.into(), what };
        let name = path.file_name().ok_or(not_a_log("names no file"))?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let directory = RealDirectory::open(parent).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => SourceError::NotFound { path: parent.into() },
            _ => SourceError::io(parent, error),
        })?;
        if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return Err(not_a_log("is not a regular file"));
        }
        Ok(Self { path: path.into(), ..Self::new(Box::new(directory), name, key) })
    }

    /// What comes after this file, which has been read to its end. Looks at the directory first. [`Next::NoneYet`] while it
    /// is the live file and was not cut; [`Next::Unread`] where it has a successor and bytes that were not read.
    ///
    /// The file found can be the same one again, under a new reference, where bytes were lost in its middle.
    pub fn after(&mut self, file: FileRef) -> Result<Next, SourceError> {
        let before = self.chain[self.index(file)?].stat;
        self.refresh()?;
        let index = self.index(file)?;
        let size = self.look_at(index)?;
        // The same text under another inode: the rest of it is as good as a successor's.
        let moved = !before.same_file(&self.chain[index].stat);
        if self.missed(index)? {
            return self.enter_from(index);
        }
        match self.chain[index].text {
            Text::Cut { .. } => self.after_cut(index)?,
            Text::Over => {}
            Text::Shrunk { lost } => {
                let words = format!("{} was cut behind what had been read of it", self.named(&self.chain[index]));
                self.chain[index].go_on();
                return Ok(self.again(index, gap(GapReason::Truncated, Some(lost), words)));
            }
            Text::Whole if size > self.chain[index].end() && !is_broken(Rule::DrainBeforeMovingOn) => {
                return Ok(if moved || index + 1 < self.chain.len() { Next::Unread } else { Next::NoneYet });
            }
            Text::Whole => {}
        }
        match self.enter_from(index + 1)? {
            Next::NoneYet => {
                // What was to be told with a file that has nothing in it yet.
                let mut told = self.untold.take();
                join(&mut told, self.owed.take());
                self.chain[index + 1..].iter_mut().for_each(|held| join(&mut told, held.gap.take()));
                Ok(told.map_or(Next::NoneYet, |told| self.again(index, told)))
            }
            next => Ok(next),
        }
    }

    /// Reads at most `max` bytes (and at most 256 KiB) from `offset`, which is at most the end of what was read of this file
    /// before. What was read before and is not acknowledged comes from memory. Empty at the end of the file, and where it has
    /// been cut or replaced; [`LogSource::after`] then tells.
    pub fn read(&mut self, file: FileRef, offset: u64, max: u32) -> Result<Bytes, SourceError> {
        let index = self.index(file)?;
        self.in_range(index, offset, 0)?;
        let held = &mut self.chain[index];
        let bytes = if offset < held.memory.start() {
            held.read_again(offset, max as usize)
        } else {
            held.read(&self.key, offset, max as usize)
        };
        bytes.map_err(|error| SourceError::io(&self.path_of(&self.chain[index].name), error))
    }

    /// Looks at a file. Of one that was cut, and whose new text is another file to the source, what it was.
    pub fn stat(&mut self, file: FileRef) -> Result<Stat, SourceError> {
        let index = self.index(file)?;
        let size = self.look_at(index)?;
        Ok(Stat { size, ..self.chain[index].stat })
    }

    /// What is to be stored with the bytes that reach `offset` of this file: above 0, and at most what was read of it.
    pub fn progress_at(&mut self, file: FileRef, offset: u64) -> Result<Progress, SourceError> {
        let index = self.index(file)?;
        self.in_range(index, offset, self.chain[index].memory.start().max(1))?;
        let at = self.chain[index].position(&self.key, offset);
        let mut consumed = self.consumed.clone();
        let (before, from) = self.chain.split_at_mut(index);
        consumed.extend(before.iter_mut().filter_map(|held| held.witness(&self.key)));
        consumed.drain(..consumed.len().saturating_sub(MOST_CONSUMED));
        let pending = from[1..].iter_mut().filter_map(|held| held.witness(&self.key)).collect();
        Ok(Progress { at, consumed, pending })
    }

    /// The server has acknowledged everything up to `offset` of this file: files before it are let go, and bytes before it
    /// forgotten. A file that is stale is ignored: what is acknowledged late was found by `resume`.
    pub fn acknowledged(&mut self, file: FileRef, offset: u64) {
        let Ok(index) = self.index(file) else { return };
        self.chain[index].memory.forget(offset);
        self.chain[index].losses.retain(|(at, _)| *at >= offset);
        self.let_go(index);
    }

    /// Whether any file of the log was ever seen, be it an empty one.
    pub fn was_seen(&self) -> bool {
        !(self.chain.is_empty() && self.done.is_empty() && self.consumed.is_empty())
    }

    /// Bytes in memory: read, and not acknowledged. The caller bounds them, by reading no further ahead than its window.
    pub fn unacknowledged(&self) -> u64 {
        self.chain.iter().map(|held| held.end() - held.memory.start()).sum()
    }

    /// Lets go of the first `count` files of the chain, which were read to their end.
    pub(super) fn let_go(&mut self, count: usize) {
        let gone: Vec<Held> = self.chain.drain(..count).collect();
        for mut held in gone {
            let size = held.look().unwrap_or(held.stat.size);
            if held.end() > 0 && held.text == Text::Whole && size > held.end() {
                self.note_late(held.name.clone(), size - held.end());
            }
            let read = match held.witness(&self.key) {
                Some(witness) => Some(witness),
                // It was not read by this process, but comes before what the server has.
                None => held.file.as_deref().and_then(|file| self.key.position_in(file, held.stat, size).ok()?),
            };
            self.consumed.extend(read.filter(|read| read.offset > 0));
            if held.is_file() && held.present {
                self.done.push(held.stat);
            }
        }
        self.consumed.drain(..self.consumed.len().saturating_sub(MOST_CONSUMED));
    }

    /// Enters the first file from `index` on that has a byte in it.
    pub(super) fn enter_from(&mut self, mut index: usize) -> Result<Next, SourceError> {
        while index < self.chain.len() {
            if let Some(lost) = self.open_at_last(index)? {
                join(&mut self.untold, Some(lost));
                self.chain.remove(index);
                continue;
            }
            if self.missed(index)? {
                continue;
            }
            let mut size = self.look_at(index)?;
            let mut lost = self.lost_unread(index)?;
            if lost.is_some() {
                // It was cut since the directory was looked at: what is lost of it may be in a copy.
                self.look(None)?;
                if self.missed(index)? {
                    continue;
                }
                size = self.look_at(index)?;
                lost = self.lost_unread(index)?;
            }
            let held = &self.chain[index];
            if size <= held.start && held.end() <= held.start && lost.is_none() {
                index += 1;
                continue;
            }
            return self.enter(index, lost).map(Next::Found);
        }
        Ok(Next::NoneYet)
    }

    /// Bytes that were seen in a file that nothing was read of, and that are no longer there.
    fn lost_unread(&self, index: usize) -> Result<Option<u64>, SourceError> {
        let held = &self.chain[index];
        Ok(match (held.lost_unread(&self.key).map_err(|error| self.io(error))?, held.text) {
            (None, Text::Shrunk { lost }) if held.end() == 0 => Some(lost),
            (lost, _) => lost,
        })
    }

    /// Enters a file, of which so much is known to be lost.
    fn enter(&mut self, index: usize, lost: Option<u64>) -> Result<Found, SourceError> {
        // Asked again, the answer is the same.
        let reference = self.chain[index].reference.unwrap_or_else(|| self.new_reference());
        let name = self.named(&self.chain[index]);
        let held = &mut self.chain[index];
        let io = |error| SourceError::io(&self.path, error);
        let mut told = self.owed.take();
        join(&mut told, self.untold.take());
        join(&mut told, held.gap.take());
        if let Some(lost) = lost {
            held.go_on();
            join(&mut told, Some(gap(GapReason::Truncated, Some(lost), format!("{name} was cut before it was read"))));
        }
        let mut offset = held.start;
        // What was acknowledged before and is asked for again can come from the file alone.
        let over = matches!(held.text, Text::Cut { .. } | Text::Over);
        if held.memory.start() > offset && (over || !held.go_to(offset).map_err(io)?) {
            offset = held.memory.start();
            let words = format!("{name} was cut, and the server no longer has what it had acknowledged of it");
            join(&mut told, Some(gap(GapReason::Truncated, None, words)));
        }
        held.note_unread(&self.key).map_err(io)?;
        held.gap.clone_from(&told);
        for (_, lost) in &held.losses {
            join(&mut told, Some(lost.clone()));
        }
        held.reference = Some(reference);
        Ok(Found { file: reference, offset, gap: told })
    }

    /// Opens a file that could not be opened when it was seen. Returns what is lost where it still can't be.
    pub(super) fn open_at_last(&mut self, index: usize) -> Result<Option<Gap>, SourceError> {
        let held = &self.chain[index];
        if held.file.is_some() || held.text != Text::Whole || held.end() > 0 {
            return Ok(None);
        }
        let (size, name) = (held.stat.size, self.named(held));
        match self.directory.open(&held.name) {
            Ok(file) if file.stat().map_err(|error| self.io(error))?.same_file(&held.stat) => {
                self.chain[index].file = Some(file);
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let words = format!("{name} may not be read by the user that the site runs as");
                Ok(Some(gap(GapReason::Unspecified, Some(size), words)))
            }
            Ok(_) => {
                Ok(Some(gap(GapReason::Deleted, Some(size), format!("{name} was deleted before it could be opened"))))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Some(gap(GapReason::Deleted, Some(size), format!("{name} was deleted before it could be opened"))))
            }
            Err(error) => Err(SourceError::io(&self.path_of(&held.name), error)),
        }
    }

    /// The same file again, behind a loss.
    fn again(&mut self, index: usize, lost: Gap) -> Next {
        let reference = self.new_reference();
        let held = &mut self.chain[index];
        held.reference = Some(reference);
        held.losses.push((held.end(), lost.clone()));
        Next::Found(Found { file: reference, offset: held.end(), gap: Some(lost) })
    }

    /// Notes bytes that were written to a file after the source had gone on to the next.
    pub(super) fn note_late(&mut self, name: OsString, bytes: u64) {
        let words = format!("{} was written to after its successor had been begun", self.path_of(&name).display());
        join(&mut self.untold, Some(gap(GapReason::Unspecified, Some(bytes), words)));
    }

    pub(super) fn new_reference(&mut self) -> FileRef {
        self.next_reference += 1;
        FileRef(self.next_reference)
    }

    /// Where in the chain a file is.
    pub(super) fn index(&self, file: FileRef) -> Result<usize, SourceError> {
        self.chain.iter().position(|held| held.reference == Some(file)).ok_or(SourceError::Stale)
    }

    fn look_at(&mut self, index: usize) -> Result<u64, SourceError> {
        let size = self.chain[index].look();
        size.map_err(|error| SourceError::io(&self.path_of(&self.chain[index].name), error))
    }

    /// Refuses an offset that is not between `from` and the end of what was read.
    fn in_range(&self, index: usize, offset: u64, from: u64) -> Result<(), SourceError> {
        let held = &self.chain[index];
        if (from..=held.end()).contains(&offset) {
            return Ok(());
        }
        Err(SourceError::BadOffset { path: self.path_of(&held.name), offset, from, to: held.end() })
    }

    pub(super) fn io(&self, error: io::Error) -> SourceError {
        SourceError::io(&self.path, error)
    }

    /// The directory, for words.
    pub(super) fn directory_path(&self) -> PathBuf {
        self.path.parent().unwrap_or(Path::new(".")).into()
    }

    /// A file of the log, for words.
    pub(super) fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.with_file_name(name)
    }

    /// A held file, in words.
    pub(super) fn named(&self, held: &Held) -> String {
        self.path_of(&held.name).display().to_string()
    }
}
