//! One file that the source holds: open, with what was read of it.

use std::cell::OnceCell;
use std::ffi::OsString;
use std::io;

use bytes::Bytes;

use super::FileRef;
use super::anchor::{AnchorKey, SPAN, same, span};
use super::buffers::{Buffer, CHUNK};
use super::directory::{SourceFile, Stat, read_full};
use super::memory::Memory;
use crate::broken::{Rule, is_broken};
use crate::wire;

/// How the text of a file stands to what was read of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// It follows what was read.
    Whole,
    /// It was cut or written anew: what was read is no longer its beginning. How much was seen and not read.
    Cut { lost: Option<u64> },
    /// It follows what was read, but bytes that had been seen behind it are gone.
    Shrunk { lost: u64 },
    /// It was cut, and the files that come after it are in place.
    Over,
}

/// A file that the source holds.
pub(super) struct Held {
    /// How the caller knows it, once it was handed out.
    pub reference: Option<FileRef>,
    /// None where it could not be opened when it was seen, and for a text that was cut: what is left of it is in memory.
    pub file: Option<Box<dyn SourceFile>>,
    /// Its name when it was last seen in the directory.
    pub name: OsString,
    /// Whether it was in the directory at the last look.
    pub present: bool,
    /// Whether this look is the first that shows it.
    pub fresh: bool,
    /// Whether two looks have agreed since it was first seen, so that its place in the order stands.
    pub settled: bool,
    /// For a file beside the log: what it was when the live text began, and so is from before that.
    pub from_before: Option<Stat>,
    /// The last look at it.
    pub stat: Stat,
    /// Where it is entered: 0, except for the copy of a text of which the beginning was read elsewhere.
    pub start: u64,
    pub memory: Memory,
    pub text: Text,
    /// What was lost on the way to it.
    pub gap: Option<wire::Gap>,
    /// What was lost in its middle, with the offsets. Kept until the server has a byte from behind it.
    pub losses: Vec<(u64, wire::Gap)>,
    /// The greatest size that was seen.
    seen: u64,
    /// The first bytes of what was read, at most [`SPAN`].
    head: Vec<u8>,
    /// The anchor of the head, once that is whole: each position has it.
    head_anchor: OnceCell<wire::Anchor>,
    /// What it was when it was seen and nothing of it had been read.
    unread: Option<wire::Position>,
    /// The position at the end of what was read, as it was last made.
    closing: Option<wire::Position>,
}

impl Held {
    /// A file of which nothing was read.
    pub fn new(name: OsString, file: Option<Box<dyn SourceFile>>, stat: Stat) -> Self {
        Self {
            reference: None,
            file,
            name,
            present: true,
            fresh: true,
            settled: false,
            from_before: None,
            stat,
            start: 0,
            memory: Memory::new(0, Vec::new()),
            text: Text::Whole,
            gap: None,
            losses: Vec::new(),
            seen: stat.size,
            head: Vec::new(),
            head_anchor: OnceCell::new(),
            unread: None,
            closing: None,
        }
    }

    /// The end of what was read.
    pub fn end(&self) -> u64 {
        self.memory.end()
    }

    /// Whether it stands for a file of the directory; the memory of a cut text does not.
    pub fn is_file(&self) -> bool {
        self.text != Text::Over
    }

    /// Whether it is from before the live text, and was not written over since.
    pub fn is_from_before(&self) -> bool {
        let same = |before: Stat| (before.size, before.modified_ns) == (self.stat.size, self.stat.modified_ns);
        self.from_before.is_some_and(same)
    }

    /// Whether its place in the order is a guess.
    pub fn guessed(&self) -> bool {
        self.gap.as_ref().is_some_and(|gap| gap.reason() == wire::GapReason::Ambiguous)
    }

    /// Goes to `offset`, with nothing in memory. False, and nothing changed, where the file does not reach so far.
    pub fn go_to(&mut self, offset: u64) -> io::Result<bool> {
        let Some(file) = &self.file else { return Ok(false) };
        let length = span(offset);
        let (mut head, mut before) = (vec![0; length], vec![0; length]);
        let from = offset - length as u64;
        if read_full(&**file, &mut head, 0)? < length || read_full(&**file, &mut before, from)? < length {
            return Ok(false);
        }
        self.head = head;
        self.head_anchor = OnceCell::new();
        self.memory = Memory::new(offset, before);
        self.text = Text::Whole;
        self.closing = None;
        self.seen = self.seen.max(offset);
        Ok(true)
    }

    /// Looks at the file: its size, and whether its text still follows what was read. Returns the size; of a cut text, the
    /// end of what was read.
    pub fn look(&mut self) -> io::Result<u64> {
        if matches!(self.text, Text::Cut { .. } | Text::Over) {
            return Ok(self.end());
        }
        let Some(file) = &self.file else { return Ok(self.stat.size) };
        let stat = file.stat()?;
        let end = self.end();
        self.stat = Stat { device: self.stat.device, inode: self.stat.inode, ..stat };
        // The size alone does not tell: it may have been cut and have grown again between two looks.
        if stat.size < end || !self.stands()? {
            self.text = Text::Cut { lost: (self.seen > end).then(|| self.seen - end) };
            return Ok(end);
        }
        if stat.size < self.seen {
            self.text = Text::Shrunk { lost: self.seen - stat.size };
        }
        // Of a file that nothing was read of, what is there now need not follow what was seen: `note_unread` tells.
        if end > 0 {
            self.seen = self.seen.max(stat.size);
        }
        Ok(stat.size)
    }

    /// Goes on behind a loss that was told.
    pub fn go_on(&mut self) {
        self.unread = None;
        if matches!(self.text, Text::Shrunk { .. }) {
            self.text = Text::Whole;
            self.seen = self.stat.size;
        }
    }

    /// Whether the file's head and the bytes before the end of what was read are still there. The head too: the end of a log
    /// can be a long run of one character, which a new text of the file has as well.
    fn stands(&self) -> io::Result<bool> {
        let (Some(file), end) = (&self.file, self.end()) else { return Ok(true) };
        if is_broken(Rule::CheckAfterReading) {
            return Ok(true);
        }
        let (mut known, mut now) = ([0; SPAN], [0; SPAN]);
        let Some(known) = self.memory.tail(end, &mut known) else { return Ok(false) };
        let now = &mut now[..known.len()];
        if read_full(&**file, now, end - now.len() as u64)? < now.len() || now != known {
            return Ok(false);
        }
        let covered = end <= SPAN as u64;
        Ok(covered || read_full(&**file, now, 0)? == now.len() && now == self.head)
    }

    /// Reads from `offset`, between the start of the memory and the end of what was read. What was read before comes from
    /// memory and is never read again.
    pub fn read(&mut self, key: &AnchorKey, offset: u64, max: usize) -> io::Result<Bytes> {
        let end = self.end();
        let max = max.min(CHUNK);
        let (Some(file), Text::Whole) = (&self.file, self.text) else { return Ok(self.memory.get(offset, max)) };
        if end - offset >= max as u64 {
            return Ok(self.memory.get(offset, max));
        }
        let mut buffer = Buffer::take();
        let space = &mut buffer.space()[..max];
        let kept = self.memory.copy(offset, space);
        let fresh = file.read_at(&mut space[kept..], end)?;
        if fresh == 0 {
            self.look()?;
            return Ok(self.memory.get(offset, max));
        }
        // After the read, not before it: what was read follows what was known only if that still stands now.
        if !self.stands()? {
            self.text = Text::Cut { lost: (self.seen > end).then(|| self.seen - end) };
            return Ok(self.memory.get(offset, max));
        }
        // There is nothing before the first read to stand; what was seen of the file then must.
        if let Some(lost) = self.lost_unread(key)? {
            self.text = Text::Shrunk { lost };
            return Ok(Bytes::new());
        }
        let missing = SPAN - self.head.len();
        if missing > 0 {
            self.head.extend_from_slice(&space[kept..kept + fresh.min(missing)]);
        }
        let bytes = buffer.into_bytes(kept + fresh);
        self.memory.put(offset, bytes.clone());
        self.seen = self.seen.max(self.end());
        Ok(bytes)
    }

    /// Reads what lies before the memory, which the server has acknowledged: straight from the file.
    pub fn read_again(&mut self, offset: u64, max: usize) -> io::Result<Bytes> {
        let until = (self.memory.start() - offset).min(CHUNK as u64) as usize;
        let (Some(file), Text::Whole) = (&self.file, self.text) else { return Ok(Bytes::new()) };
        let mut buffer = Buffer::take();
        let length = file.read_at(&mut buffer.space()[..max.min(until)], offset)?;
        if !self.stands()? {
            self.look()?;
            return Ok(Bytes::new());
        }
        Ok(buffer.into_bytes(length))
    }

    /// The position at `offset`, which is in memory and not 0.
    pub fn position(&self, key: &AnchorKey, offset: u64) -> Option<wire::Position> {
        let mut tail = [0; SPAN];
        let tail = self.memory.tail(offset, &mut tail)?;
        let head = self.head.get(..span(offset))?;
        let head = match head.len() {
            SPAN => *self.head_anchor.get_or_init(|| key.anchor(0, head)),
            _ => key.anchor(0, head),
        };
        (offset > 0).then(|| key.position(self.stat, offset, head, tail))
    }

    /// By what the file can be known again: the position at the end of what was read, or, of a file that nothing was read
    /// of, at the end of what was seen. None for an empty one.
    pub fn witness(&mut self, key: &AnchorKey) -> Option<wire::Position> {
        let end = self.end();
        if end == 0 {
            return self.unread;
        }
        if self.closing.as_ref().is_none_or(|closing| closing.offset != end) {
            self.closing = self.position(key, end);
        }
        self.closing
    }

    /// Notes what the file was at the last look, if nothing of it has been read and it still begins with what was noted
    /// before.
    pub fn note_unread(&mut self, key: &AnchorKey) -> io::Result<()> {
        let (Some(file), 0) = (&self.file, self.end()) else { return Ok(()) };
        let size = self.stat.size;
        let follows = match &self.unread {
            Some(noted) => size > noted.offset && key.matches(&**file, noted)?,
            None => size > 0,
        };
        if follows && let Some(noted) = key.position_in(&**file, self.stat, size)? {
            self.unread = Some(noted);
            self.seen = self.seen.max(size);
        }
        Ok(())
    }

    /// If this file was cut since it was seen, and nothing was read of it, and all that was seen is in this copy, then nothing
    /// of it is lost. Where it was cut before its anchors could be taken, a copy that has appeared or grown since must do.
    pub fn was_copied_to(&mut self, copy: &Held, key: &AnchorKey) -> io::Result<()> {
        let (Some(file), 0) = (&self.file, self.end()) else { return Ok(()) };
        let has_all = match &self.unread {
            Some(noted) => !key.matches(&**file, noted)? && copy.matches(key, noted)?,
            None => {
                let size = copy.file.as_ref().map_or(Ok(copy.stat.size), |copy| copy.stat().map(|stat| stat.size))?;
                (copy.fresh && !self.fresh || size > copy.stat.size) && size >= self.seen
            }
        };
        if has_all {
            self.unread = None;
            self.seen = self.seen.min(file.stat()?.size);
        }
        Ok(())
    }

    /// Bytes that were seen in the file before anything was read, if they are no longer there.
    pub fn lost_unread(&self, key: &AnchorKey) -> io::Result<Option<u64>> {
        match (&self.file, &self.unread) {
            (Some(file), Some(noted)) if self.end() == 0 && !key.matches(&**file, noted)? => Ok(Some(noted.offset)),
            _ => Ok(None),
        }
    }

    /// Whether `position` was taken in this file: by what is in memory, else by what is in the file.
    pub fn matches(&self, key: &AnchorKey, position: &wire::Position) -> io::Result<bool> {
        if is_broken(Rule::TextIsIdentity) {
            return Ok((self.stat.device, self.stat.inode) == (position.device, position.inode));
        }
        if self.remembers(key, position) {
            return Ok(true);
        }
        match (&self.file, self.text) {
            (Some(file), Text::Whole | Text::Shrunk { .. }) => key.matches(&**file, position),
            _ => Ok(false),
        }
    }

    /// Whether `position` was taken in this file, and all from there on that was read is in memory.
    pub fn remembers(&self, key: &AnchorKey, position: &wire::Position) -> bool {
        self.position(key, position.offset).is_some_and(|here| same(&here, position))
    }

    /// Whether a file of `size` bytes begins like what was read of this one, so that it may be a copy of its beginning.
    pub fn begins_like(&self, file: &dyn SourceFile, size: u64) -> io::Result<bool> {
        let length = self.head.len().min(span(size));
        let mut other = [0; SPAN];
        Ok(length > 0 && read_full(file, &mut other[..length], 0)? == length && other[..length] == self.head[..length])
    }

    /// Whether `other` has all of the text that was seen in this file before anything was read of it.
    pub fn was(&self, other: &Held, key: &AnchorKey) -> io::Result<bool> {
        self.unread.as_ref().map_or(Ok(true), |unread| other.matches(key, unread))
    }

    /// Takes over the file that this one has become: the same text under another inode.
    pub fn adopt(&mut self, other: Held) {
        self.file = other.file;
        self.name = other.name;
        self.stat = other.stat;
        self.seen = self.seen.max(other.stat.size);
        self.present = true;
        self.unread = None;
        self.closing = None;
    }
}
