//! A store as it may be found at a start: any data, any journal, journals that are whole up to a point, of this run of the
//! machine or of another one, and what somebody else put there.
//!
//! Whatever is found: there is no panic. What is refused is left as it was. What is taken can go on: it is opened, takes a
//! batch, ends, and is found again as it was left, with the bytes that were committed before at its beginning.
#![no_main]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use bytes::Bytes;
use fedtail_fuzz::names::LogKey;
use fedtail_fuzz::store::{Batch, CommitError, Durability, LogState, Reader, Store};
use fedtail_fuzz::wire::{EndKind, Gap, PolicyRange, Position, Progress, Record, RecordedEnd};
use libfuzzer_sys::fuzz_target;
use prost::Message;

#[derive(Debug, Arbitrary)]
struct Input {
    data: Option<Vec<u8>>,
    journal: Found,
    /// What is written over the journal, and where.
    damage: Option<(u16, Vec<u8>)>,
    cut: Option<u16>,
    flush: bool,
    more: Vec<u8>,
    foreign: Vec<(Place, Vec<u8>)>,
}

#[derive(Debug, Arbitrary)]
enum Found {
    Nothing,
    Bytes(Vec<u8>),
    /// As fedtail writes it, with any numbers in it.
    Entries { this_boot: bool, entries: Vec<Entry>, room: u8 },
}

#[derive(Debug, Arbitrary)]
enum Place {
    Unfinished,
    InOwn,
    OtherLog,
    OtherJob,
}

#[derive(Debug, Arbitrary)]
struct Entry {
    epoch: Count,
    stored: Count,
    received: Count,
    /// What the data really has, or anything.
    checksum: Option<u32>,
    progress: Option<u64>,
    gaps: Vec<(Option<u64>, i32, String, u64)>,
    digest: Vec<u8>,
    end: Option<(i32, String)>,
    handed: bool,
    dropped: Vec<String>,
    snapshot: bool,
    ranges: Vec<(u64, Vec<u8>)>,
}

/// Small numbers are what leads somewhere, and any are possible.
#[derive(Debug, Arbitrary, Clone, Copy)]
enum Count {
    Small(u8),
    Any(u64),
}

impl Count {
    fn value(self) -> u64 {
        match self {
            Self::Small(value) => value.into(),
            Self::Any(value) => value,
        }
    }
}

impl Entry {
    fn record(self, before: &mut u64, data: &[u8]) -> Record {
        let stored = self.stored.value();
        let bytes = usize::try_from(*before).ok().zip(usize::try_from(stored).ok());
        let held = bytes.and_then(|(from, to)| data.get(from..to)).unwrap_or_default();
        *before = stored;
        let at = |offset| Position { offset, ..Position::default() };
        Record {
            epoch: self.epoch.value(),
            stored,
            received: self.received.value(),
            data_crc: self.checksum.unwrap_or_else(|| crc32fast::hash(held)),
            progress: self.progress.map(|offset| Progress { at: Some(at(offset)), ..Progress::default() }),
            gaps: self
                .gaps
                .into_iter()
                .map(|(lost, reason, words, at)| Gap { lost, reason, words, at })
                .collect(),
            policy_digest: self.digest.into(),
            end: self.end.map(|(kind, reason)| RecordedEnd { kind, reason }),
            handed: self.handed,
            dropped: self.dropped,
            snapshot: self.snapshot,
            ranges: self
                .ranges
                .into_iter()
                .map(|(from, digest)| PolicyRange { from, policy_digest: digest.into() })
                .collect(),
            ..Record::default()
        }
    }
}

/// This run of the machine, as a journal's header names it.
static BOOT: LazyLock<[u8; 16]> = LazyLock::new(|| {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).unwrap_or_default().to_be_bytes()
});

/// A journal, written here from the description of its format and not by the code under test.
fn journal(this_boot: bool, entries: Vec<Entry>, room: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"fedtail\x01".to_vec();
    bytes.extend(if this_boot { *BOOT } else { [7; 16] });
    bytes.extend([0; 4]);
    let mut chain = crc32fast::hash(&bytes);
    bytes.extend(chain.to_le_bytes());
    let mut stored = 0;
    for entry in entries {
        let payload = entry.record(&mut stored, data).encode_to_vec();
        let length = (payload.len() as u32).to_le_bytes();
        let mut hasher = crc32fast::Hasher::new_with_initial(chain);
        hasher.update(&length);
        hasher.update(&payload);
        chain = hasher.finalize();
        bytes.extend(length);
        bytes.extend(chain.to_le_bytes());
        bytes.extend(payload);
    }
    bytes.extend(vec![0; room.into()]);
    bytes
}

fuzz_target!(|input: Input| {
    let place = tempfile::tempdir().expect("a directory");
    let root = place.path();
    let key = LogKey {
        job: "job".parse().expect("a name"),
        site: "site".parse().expect("a name"),
        log: "log".parse().expect("a name"),
    };
    let (data_path, journal_path) = (root.join("job/site/log"), root.join(".fedtail/job/site/log"));
    let data = input.data.clone().unwrap_or_default();
    if let Some(data) = &input.data {
        put(&data_path, data);
    }
    let mut found = match input.journal {
        Found::Nothing => None,
        Found::Bytes(bytes) => Some(bytes),
        Found::Entries { this_boot, entries, room } => Some(journal(this_boot, entries, room, &data)),
    };
    if let Some(bytes) = &mut found {
        if let Some((at, damage)) = input.damage {
            let at = usize::from(at).min(bytes.len());
            let length = damage.len().min(bytes.len() - at);
            bytes[at..at + length].copy_from_slice(&damage[..length]);
        }
        if let Some(cut) = input.cut {
            bytes.truncate(cut.into());
        }
        put(&journal_path, bytes);
    }
    for (place, bytes) in &input.foreign {
        put(
            &root.join(match place {
                Place::Unfinished => ".fedtail/.new/0",
                Place::InOwn => ".fedtail/notes",
                Place::OtherLog => ".fedtail/job/site/other",
                Place::OtherJob => "job2",
            }),
            bytes,
        );
    }

    let durability = if input.flush { Durability::Flush } else { Durability::Process };
    let store = Store::open(root, durability).expect("a store with whatever in it");
    store.logs().expect("a list of them");
    let Ok(log) = store.log(&key) else {
        assert_eq!(fs::read(&data_path).ok(), input.data, "refused, and changed");
        assert_eq!(fs::read(&journal_path).ok(), found, "refused, and changed");
        return;
    };
    let before = log.state();
    // A log that was discarded, or all of it dropped, goes without its file.
    let kept = usize::try_from(before.stored).expect("no more than there is");
    assert!(kept <= data.len(), "{kept} of {} bytes", data.len());
    let beginning = &data[..kept];

    // Who reads while nobody has gone on sees the same.
    if found.is_some()
        && let Ok(reader) = Reader::open(root).expect("a store").log(&key)
    {
        drop(reader);
    }
    Reader::open(root).expect("a store").list().expect("what can be read is listed");

    let Ok(opened) = log.open_stream(b"a site", b"a digest") else { return };
    assert_eq!(opened.epoch, before.epoch + 1);
    assert_eq!((opened.stored, opened.received), (before.stored, before.received));
    let batch = Batch {
        base: opened.received,
        received: input.more.len() as u64,
        data: vec![Bytes::from(input.more.clone())],
        ..Batch::default()
    };
    match log.commit(opened.epoch, batch) {
        Ok(committed) => assert_eq!(committed.stored, before.stored + input.more.len() as u64),
        Err(CommitError::Store(_)) => return,
        Err(error) => panic!("a batch of the newest opening: {error}"),
    }
    let all = [beginning, &input.more[..]].concat();
    assert_eq!(&fs::read(&data_path).unwrap_or_default()[..all.len()], all, "what was there, and then the new");

    let state = log.state();
    let log = again(root, durability, &key, store, log, &state);
    let end = RecordedEnd { kind: EndKind::Complete as i32, reason: String::new() };
    log.1.end(state.epoch, end, vec![]).expect("an end has its room");
    assert_eq!(fs::read(&data_path).unwrap_or_default(), all, "an ended log has what was committed and nothing else");
    let state = log.1.state();
    again(root, durability, &key, log.0, log.1, &state);
});

/// The same log as another process would find it: in the same state.
fn again(
    root: &Path,
    durability: Durability,
    key: &LogKey,
    store: Store,
    log: std::sync::Arc<fedtail_fuzz::store::StoredLog>,
    state: &LogState,
) -> (Store, std::sync::Arc<fedtail_fuzz::store::StoredLog>) {
    drop(log);
    drop(store);
    let store = Store::open(root, durability).expect("a store that was closed");
    let log = store.log(key).expect("a log that was in use");
    assert_eq!(&log.state(), state);
    (store, log)
}

fn put(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("a directory")).expect("directories");
    fs::write(path, bytes).expect("a file");
}
