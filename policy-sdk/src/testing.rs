//! A log and a store in memory, to test a policy natively.

use std::cell::RefCell;
use std::rc::Rc;

use crate::filter::Filter;
use crate::host::{Content, Found, Host, Level, Nanos, SendError, SourceError, Successor};
use crate::streamer::{Next, Settings, Wake};
use crate::{Lines, Policy};

mod store;

pub use store::receive;

/// Runs a [`Lines`] policy over a log, and returns what leaves the site.
///
/// The log is read in pieces of several sizes, and a fresh policy takes over at every place where the first one might
/// have been interrupted: all have to come to the same, or the error says where they differ. An error is also what the
/// policy says about its settings.
pub fn filter<P: Lines>(settings: &[(&str, &str)], log: impl AsRef<[u8]>) -> Result<String, String> {
    let log = log.as_ref();
    let ranges = run::<P>(settings, log, 64 << 10, 0)?;
    let whole = joined(&ranges);
    for most in [1, 2, 7, 64] {
        let ranges = run::<P>(settings, log, most, 0)?;
        let bytes = joined(&ranges);
        if bytes != whole {
            return Err(format!("read in pieces of {most} bytes, it lets out {}", shown(&bytes)));
        }
        let mut before = 0;
        for (bytes, reached) in &ranges {
            before += bytes.len();
            // Behind the end there is nothing to take over.
            if *reached == log.len() as u64 {
                break;
            }
            let rest = joined(&run::<P>(settings, log, most, *reached)?);
            if whole.get(before..) != Some(&rest[..]) {
                return Err(format!("taken over at byte {reached}, a fresh policy lets out {}", shown(&rest)));
            }
        }
    }
    Ok(String::from_utf8_lossy(&whole).into_owned())
}

fn shown(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(bytes))
}

/// What leaves with these ranges.
fn joined(ranges: &[(Vec<u8>, u64)]) -> Vec<u8> {
    ranges.iter().flat_map(|(bytes, _)| bytes.iter().copied()).collect()
}

/// The ranges that a policy sends of a log that is all there, from this offset on.
fn run<P: Lines>(settings: &[(&str, &str)], log: &[u8], most: usize, from: u64) -> Result<Vec<(Vec<u8>, u64)>, String> {
    let host = Log::new(log, most, from);
    let mut policy = Filter::<Log, P>::start(host.clone(), once(settings))?;
    let mut wake = Wake::Connected;
    // Each step moves at least a piece, so a policy that goes on for longer goes on for ever.
    for _ in 0..log.len() + 16 {
        if policy.step(wake)? == Next::Finished {
            return Ok(host.sent());
        }
        wake = Wake::Timer;
    }
    Err("it did not come to the end of the log".into())
}

fn once(settings: &[(&str, &str)]) -> Settings {
    Settings {
        poll_interval: 500_000_000,
        max_chunk_size: 256 << 10,
        once: true,
        custom: settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
    }
}

/// A log that is all there, at a site whose link takes everything. Clones are the same log.
#[derive(Clone)]
pub struct Log(Rc<RefCell<Inner>>);

struct Inner {
    text: Vec<u8>,
    most: usize,
    from: u64,
    now: Nanos,
    parts: Vec<u8>,
    sent: Vec<(Vec<u8>, u64)>,
    said: Vec<String>,
}

impl Log {
    /// A log with this text. One read returns at most `most` bytes, and the server stands at `from`.
    pub fn new(text: impl Into<Vec<u8>>, most: usize, from: u64) -> Self {
        let text = text.into();
        Self(Rc::new(RefCell::new(Inner {
            text,
            most,
            from,
            now: 0,
            parts: Vec::new(),
            sent: Vec::new(),
            said: Vec::new(),
        })))
    }

    /// Moves the clock to this instant.
    pub fn at(&self, now: Nanos) {
        self.0.borrow_mut().now = now;
    }

    /// The job writes more.
    pub fn write(&self, text: &str) {
        self.0.borrow_mut().text.extend_from_slice(text.as_bytes());
    }

    /// The ranges that were sent: what left, and the offset in the log that it reached.
    pub fn sent(&self) -> Vec<(Vec<u8>, u64)> {
        self.0.borrow().sent.clone()
    }

    /// What the policy said to the site's operator.
    pub fn said(&self) -> Vec<String> {
        self.0.borrow().said.clone()
    }

    fn range(&self, last: &[u8], reached: u64) {
        let mut inner = self.0.borrow_mut();
        let mut bytes = std::mem::take(&mut inner.parts);
        bytes.extend_from_slice(last);
        inner.sent.push((bytes, reached));
    }
}

impl Host for Log {
    type File = ();
    type Chunk = Vec<u8>;
    type Gap = String;

    fn now(&mut self) -> Nanos {
        self.0.borrow().now
    }

    fn resume(&mut self) -> Result<Successor<(), String>, SourceError> {
        Ok(Successor::Next(Found { file: (), offset: self.0.borrow().from, lost: None }))
    }

    fn after(&mut self, (): &()) -> Result<Successor<(), String>, SourceError> {
        Ok(Successor::NoneYet)
    }

    fn size(&mut self, (): &()) -> Result<u64, SourceError> {
        Ok(self.0.borrow().text.len() as u64)
    }

    fn read(&mut self, (): &(), offset: u64, max: u32) -> Result<Vec<u8>, SourceError> {
        let inner = self.0.borrow();
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(inner.text.len());
        let most = inner.most.min(max as usize).min(inner.text.len() - from);
        Ok(inner.text[from..from + most].to_vec())
    }

    fn len(&mut self, chunk: &Vec<u8>) -> u32 {
        u32::try_from(chunk.len()).unwrap_or(u32::MAX)
    }

    fn window(&mut self) -> u64 {
        1 << 20
    }

    fn send(&mut self, data: &Vec<u8>, (): &(), reached: u64) -> Result<(), SendError> {
        self.range(data, reached);
        Ok(())
    }

    fn report_gap(&mut self, lost: &String) -> Result<(), SendError> {
        self.0.borrow_mut().said.push(lost.clone());
        Ok(())
    }

    fn gap_in_words(&mut self, why: String) -> String {
        why
    }

    fn say(&mut self, _level: Level, words: &str) {
        self.0.borrow_mut().said.push(words.to_owned());
    }
}

impl Content for Log {
    fn bytes(&mut self, chunk: &Vec<u8>) -> Vec<u8> {
        chunk.clone()
    }

    fn chunk(&mut self, bytes: &[u8]) -> Vec<u8> {
        bytes.to_vec()
    }

    fn send_part(&mut self, data: &Vec<u8>) -> Result<(), SendError> {
        self.0.borrow_mut().parts.extend_from_slice(data);
        Ok(())
    }

    fn skip(&mut self, (): &(), reached: u64) -> Result<(), SendError> {
        self.range(&[], reached);
        Ok(())
    }
}
