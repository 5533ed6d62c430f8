//! A log's journal: a header, then entries, each with its length and a checksum.
//!
//! ```text
//! header   "fedtail" 0x01 | boot id, 16 bytes | 4 bytes of zeros | CRC-32 of what stands before
//! entry    length, 4 bytes | CRC-32, 4 bytes | a `Record` message of that length
//! zeros    room that is reserved
//! ```
//!
//! Numbers are little-endian. An entry's checksum goes on from the one before it and covers its length, so an old entry
//! that happens to lie behind a new one does not count. What follows the last whole entry counts for nothing; the next
//! entry is written over it. A journal gets its name when it is whole, by a rename.

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};

use prost::Message;

use crate::wire::Record;

use super::boot::Boot;
use super::disk::{Disk, DiskFile, Open};

/// Ends with the version of this format.
const MAGIC: &[u8; 8] = b"fedtail\x01";
/// Length of the header, and where the first entry begins.
const HEADER: u64 = 32;
/// Length and checksum before each entry.
const PREFIX: usize = 8;
/// The most that is recorded in one step: far more than any real position and its gaps take, and small enough that what a
/// site sends can't fill the journal.
pub(super) const MAX_ENTRY: usize = 512 << 10;
/// The most that is read as one entry. A snapshot has the newest position and all gaps, ranges and reasons, each bounded.
const MAX_READ: usize = 1 << 20;
/// Room that a batch leaves, so that openings and the end can still be recorded on a full disk.
const ROOM_FOR_THE_END: u64 = 4 << 10;
/// How much room is reserved at a time: little for the many logs that stay short, at most this for the long ones.
const MAX_STEP: u64 = 64 << 10;
/// A journal that is longer than this and than eight of its snapshots is compacted. An entry has about 150 bytes, so that
/// is once in some thousand batches: the flush that it takes is not felt, and reading the journal takes milliseconds.
const COMPACT_AT: u64 = 1 << 20;
const COMPACT_AT_SNAPSHOTS: u64 = 8;

/// What stands at the beginning of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Header {
    /// A journal of this version, begun in this run of the machine.
    Whole(Boot),
    /// Nothing, or zeros: what a loss of power leaves of a file that was never flushed.
    Blank,
    /// Something else; why, and what to do.
    Foreign(&'static str, &'static str),
}

/// Reads a journal's entries in order, and goes on later where it stopped.
#[derive(Debug)]
pub(super) struct Replay {
    at: u64,
    chain: u32,
}

impl Replay {
    /// Reads the header. Entries follow if it is whole.
    pub(super) fn begin(file: &dyn DiskFile) -> io::Result<(Header, Self)> {
        let mut bytes = Vec::new();
        fill(file, &mut bytes, 0, HEADER as usize)?;
        let mut replay = Self { at: HEADER, chain: 0 };
        let header = if bytes.iter().all(|&byte| byte == 0) {
            Header::Blank
        } else if bytes.len() < HEADER as usize || bytes[..7] != MAGIC[..7] {
            Header::Foreign("it is none of fedtail's files", "move it away")
        } else if bytes[7] != MAGIC[7] {
            Header::Foreign("another version of fedtail wrote it", "use that version, or a newer one")
        } else {
            replay.chain = crc32fast::hash(&bytes[..28]);
            if replay.chain.to_le_bytes() == bytes[28..] {
                let mut boot = Boot([0; 16]);
                boot.0.copy_from_slice(&bytes[8..24]);
                Header::Whole(boot)
            } else {
                Header::Foreign("its header is damaged", "put it back from a backup, or move it and the log away")
            }
        };
        Ok((header, replay))
    }

    /// Hands each whole entry to `each`, up to the first that is not.
    pub(super) fn read(&mut self, file: &dyn DiskFile, mut each: impl FnMut(Record)) -> io::Result<()> {
        // A few entries are the usual case for a reader that looks again; a whole journal is read in larger pieces.
        let mut piece = 4 << 10;
        let mut window = Vec::new();
        let mut start = 0;
        loop {
            match parse(&window[start..], self.chain) {
                Parsed::Entry { entry, length, checksum } => {
                    start += length;
                    self.at += length as u64;
                    self.chain = checksum;
                    each(entry);
                }
                Parsed::Short(needed) => {
                    window.drain(..start);
                    start = 0;
                    fill(file, &mut window, self.at, needed.max(piece))?;
                    if window.len() < needed {
                        return Ok(());
                    }
                    piece = 64 << 10;
                }
                Parsed::Nothing => return Ok(()),
            }
        }
    }
}

/// Reads on behind `bytes`, which stand at `at`, until there are `length` of them or the file is at its end.
fn fill(file: &dyn DiskFile, bytes: &mut Vec<u8>, at: u64, length: usize) -> io::Result<()> {
    let mut filled = bytes.len();
    bytes.resize(filled.max(length), 0);
    while filled < length {
        match file.read_at(&mut bytes[filled..], at + filled as u64)? {
            0 => break,
            read => filled += read,
        }
    }
    bytes.truncate(filled);
    Ok(())
}

#[expect(clippy::large_enum_variant, reason = "one exists at a time, and is taken apart at once")]
enum Parsed {
    /// A whole entry, its length with the prefix, and its checksum.
    Entry { entry: Record, length: usize, checksum: u32 },
    /// An entry may stand here; this many bytes are needed to tell.
    Short(usize),
    /// No entry stands here.
    Nothing,
}

fn parse(bytes: &[u8], chain: u32) -> Parsed {
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else {
        return Parsed::Short(PREFIX);
    };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *prefix;
    let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
    if length == 0 || length > MAX_READ {
        return Parsed::Nothing;
    }
    let Some(payload) = rest.get(..length) else {
        return Parsed::Short(PREFIX + length);
    };
    let checksum = checksum(chain, &prefix[..4], payload);
    if checksum != u32::from_le_bytes([c0, c1, c2, c3]) {
        return Parsed::Nothing;
    }
    match Record::decode(payload) {
        Ok(entry) => Parsed::Entry { entry, length: PREFIX + length, checksum },
        Err(_) => Parsed::Nothing,
    }
}

fn checksum(chain: u32, length: &[u8], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(chain);
    hasher.update(length);
    hasher.update(payload);
    hasher.finalize()
}

/// Puts an entry with its prefix behind what is in `bytes`; returns its checksum.
fn encode(entry: &Record, chain: u32, bytes: &mut Vec<u8>) -> u32 {
    let length = (entry.encoded_len() as u32).to_le_bytes();
    let start = bytes.len();
    bytes.extend_from_slice(&[0; PREFIX]);
    entry.encode_raw(bytes);
    let checksum = checksum(chain, &length, &bytes[start + PREFIX..]);
    bytes[start..start + 4].copy_from_slice(&length);
    bytes[start + 4..start + PREFIX].copy_from_slice(&checksum.to_le_bytes());
    checksum
}

/// A journal that is written to.
pub(super) struct Journal {
    file: Box<dyn DiskFile>,
    /// Where the next entry goes.
    used: u64,
    chain: u32,
    /// Length of the file, so room up to here is ours.
    reserved: u64,
    compact_at: u64,
    /// The entry that is ready to be written, and its checksum.
    ready: Vec<u8>,
    ready_checksum: u32,
}

impl Journal {
    /// Writes a new journal with these entries as `new`, and gives it its name. `flush` makes it last before it counts.
    pub(super) fn create(
        disk: &dyn Disk,
        new: PathBuf,
        path: &Path,
        boot: Boot,
        entries: &[Record],
        flush: bool,
    ) -> io::Result<Self> {
        let mut bytes = Vec::from(MAGIC);
        bytes.extend_from_slice(&boot.0);
        bytes.extend_from_slice(&[0; 4]);
        let mut chain = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&chain.to_le_bytes());
        for entry in entries {
            chain = encode(entry, chain, &mut bytes);
        }
        let write = || -> io::Result<_> {
            let file = disk.open(&new, Open::Create)?;
            file.set_len(0)?;
            let reserved = (bytes.len() as u64 + ROOM_FOR_THE_END).next_multiple_of(4 << 10);
            file.allocate(reserved)?;
            file.write_at(&mut [IoSlice::new(&bytes)], 0)?;
            if flush {
                file.sync()?;
            }
            disk.rename(&new, path)?;
            Ok((file, reserved))
        };
        let (file, reserved) = write().inspect_err(|_| {
            // Takes room and says nothing; what can't be removed now is removed at the next start.
            let _ = disk.remove(&new);
        })?;
        Ok(Self::at(file, bytes.len() as u64, chain, reserved))
    }

    /// Goes on with a journal behind what was read of it.
    pub(super) fn resume(file: Box<dyn DiskFile>, replay: &Replay) -> io::Result<Self> {
        let reserved = file.status()?.len;
        let mut journal = Self::at(file, replay.at, replay.chain, reserved);
        // How long the snapshot at its beginning is, is not known here.
        journal.compact_at = COMPACT_AT;
        Ok(journal)
    }

    fn at(file: Box<dyn DiskFile>, used: u64, chain: u32, reserved: u64) -> Self {
        let compact_at = COMPACT_AT.max(COMPACT_AT_SNAPSHOTS * used);
        Self { file, used, chain, reserved, compact_at, ready: Vec::new(), ready_checksum: 0 }
    }

    /// Makes an entry ready and sees to its room, so that what may fail for want of room fails before anything is written.
    /// `last` may take the room that other entries leave. Returns the entry's length if that is too much.
    pub(super) fn prepare(&mut self, entry: &Record, last: bool) -> io::Result<Result<(), usize>> {
        let length = entry.encoded_len();
        if length > MAX_ENTRY {
            return Ok(Err(length));
        }
        self.ready.clear();
        self.ready_checksum = encode(entry, self.chain, &mut self.ready);
        let needed = self.used + self.ready.len() as u64 + if last { 0 } else { ROOM_FOR_THE_END };
        if needed > self.reserved {
            let step = self.reserved.min(MAX_STEP);
            let target = needed.max(self.reserved + step).next_multiple_of(4 << 10);
            self.file.allocate(target)?;
            self.reserved = target;
        }
        Ok(Ok(()))
    }

    /// Writes the entry that was made ready. After an error it is not there.
    pub(super) fn write(&mut self, flush: bool) -> io::Result<()> {
        self.file.write_at(&mut [IoSlice::new(&self.ready)], self.used)?;
        if flush {
            self.file.sync()?;
        }
        self.used += self.ready.len() as u64;
        self.chain = self.ready_checksum;
        Ok(())
    }

    /// Whether it is long enough to be replaced by a snapshot.
    pub(super) fn is_long(&self) -> bool {
        self.used > self.compact_at
    }

    /// Compacting did not work; it is not tried again at each entry.
    pub(super) fn compact_later(&mut self) {
        self.compact_at = self.used + COMPACT_AT;
    }

    /// The open file.
    pub(super) fn file(&self) -> &dyn DiskFile {
        &*self.file
    }
}
