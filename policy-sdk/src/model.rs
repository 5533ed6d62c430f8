//! A model of a site and its server for the unit tests: files that grow, rotate and are cut, a window, a link that can go,
//! and a clock that the test owns. It asserts what the contract asks of a policy at every call.

use std::collections::VecDeque;

use crate::host::{Found, Host, Level, Nanos, SendError, SourceError, Successor};

/// An open file: which one, and in which opening of the stream it was handed out.
#[derive(Debug, PartialEq, Eq)]
pub struct File {
    index: usize,
    opening: u32,
}

/// One generation of the log's file. A cut file is a new generation, as it is for a host that checks content.
#[derive(Default)]
struct Generation {
    bytes: String,
    /// What is lost on the way to this one.
    lost: Option<String>,
}

/// A source range that was sent and is not acknowledged.
struct InFlight {
    file: usize,
    reached: u64,
}

/// What happens to the site between two steps, or during one.
#[derive(Debug, Clone)]
pub enum Act {
    /// The job writes to the live file; the first write makes it.
    Write(&'static str),
    /// The live file is renamed, and the job goes on in a new one with this text.
    Rotate(&'static str),
    /// While the policy asks what comes next, the job writes the first text and rotates, going on with the second.
    RotateWhileAsked(&'static str, &'static str),
    /// The live file is cut before the rest was read, and begins again with this text.
    Cut(&'static str),
    /// The window takes this many bytes.
    Window(u64),
    /// One range takes no more than this, beside the window.
    Limit(u32),
    /// The server acknowledges all that was sent.
    Ack,
    /// The link breaks; what was not acknowledged is gone.
    Break,
    /// The link is back, which the policy learns from `Connected`.
    Mend,
    /// The next sending of a range is answered like this, once.
    Refuse(SendError),
    /// The source fails like this, until `Heal`.
    Fail(SourceError),
    /// The source can be read again.
    Heal,
    /// The host says that there are unread bytes, but reads none.
    Contradict,
    /// The clock moves to this instant.
    At(Nanos),
}

/// The site, and what the policy did.
pub struct Site {
    files: Vec<Generation>,
    current: Option<File>,
    opening: u32,
    linked: bool,
    window: u64,
    limit: u32,
    /// The clock.
    pub now: Nanos,
    fault: Option<SourceError>,
    refusals: VecDeque<SendError>,
    contradicts: bool,
    while_asked: Option<(&'static str, &'static str)>,
    /// How far the current file was read and sent, in bytes.
    read_to: u64,
    sent_to: u64,
    unreported: Option<String>,
    in_flight: Vec<InFlight>,
    stored: Option<(usize, u64)>,
    heard: Vec<String>,
    /// Calls of the host since the last look.
    pub calls: u32,
    asked: bool,
}

impl Site {
    /// A site without a log, linked, at instant 0, with a wide window.
    pub fn new() -> Self {
        Self {
            files: Vec::new(),
            current: None,
            opening: 0,
            linked: true,
            window: 1 << 20,
            limit: 1 << 20,
            now: 0,
            fault: None,
            refusals: VecDeque::new(),
            contradicts: false,
            while_asked: None,
            read_to: 0,
            sent_to: 0,
            unreported: None,
            in_flight: Vec::new(),
            stored: None,
            heard: Vec::new(),
            calls: 0,
            asked: false,
        }
    }

    /// Whether the policy has asked what comes after a file since the last call.
    pub fn was_asked(&mut self) -> bool {
        std::mem::take(&mut self.asked)
    }

    /// What the policy has made others hear since the last call.
    pub fn heard(&mut self) -> Vec<String> {
        std::mem::take(&mut self.heard)
    }

    /// Lets something happen.
    pub fn act(&mut self, act: Act) {
        match act {
            Act::Write(text) => match self.files.last_mut() {
                Some(live) => live.bytes.push_str(text),
                None => self.files.push(Generation { bytes: text.into(), lost: None }),
            },
            Act::Rotate(text) => self.files.push(Generation { bytes: text.into(), lost: None }),
            Act::RotateWhileAsked(rest, text) => self.while_asked = Some((rest, text)),
            Act::Cut(text) => {
                let live = self.files.last_mut().expect("a log that can be cut");
                let unread = live.bytes.len() as u64 - self.read_to;
                // What was read and not sent is gone from the file; only the policy still has it.
                live.bytes.truncate(self.sent_to as usize);
                self.files.push(Generation { bytes: text.into(), lost: Some(format!("{unread} bytes")) });
            }
            Act::Window(bytes) => self.window = bytes,
            Act::Limit(bytes) => self.limit = bytes,
            Act::Ack => {
                for range in self.in_flight.drain(..) {
                    self.stored = Some((range.file, range.reached));
                }
            }
            Act::Break => {
                self.linked = false;
                self.in_flight.clear();
            }
            Act::Mend => self.linked = true,
            Act::Refuse(error) => self.refusals.push_back(error),
            Act::Fail(error) => self.fault = Some(error),
            Act::Heal => {
                self.fault = None;
                self.contradicts = false;
            }
            Act::Contradict => self.contradicts = true,
            Act::At(instant) => {
                assert!(instant >= self.now, "a monotonic clock does not go back");
                self.now = instant;
            }
        }
    }

    fn source(&self) -> Result<(), SourceError> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    fn check_current(&self, file: &File) {
        assert_eq!(Some(file), self.current.as_ref(), "only the current file of this opening is used");
    }

    fn enter(&mut self, index: usize, offset: u64, lost: Option<String>) -> Successor<File, String> {
        self.current = Some(File { index, opening: self.opening });
        (self.read_to, self.sent_to) = (offset, offset);
        self.unreported = lost.clone();
        Successor::Next(Found { file: File { index, opening: self.opening }, offset, lost })
    }
}

impl Host for Site {
    type File = File;
    type Chunk = String;
    type Gap = String;

    fn now(&mut self) -> Nanos {
        self.calls += 1;
        self.now
    }

    fn resume(&mut self) -> Result<Successor<File, String>, SourceError> {
        self.calls += 1;
        self.source()?;
        self.opening += 1;
        self.in_flight.clear();
        let (index, offset) = self.stored.unwrap_or((0, 0));
        if index == self.files.len() {
            return Ok(Successor::NoneYet);
        }
        Ok(self.enter(index, offset, None))
    }

    fn after(&mut self, file: &File) -> Result<Successor<File, String>, SourceError> {
        self.calls += 1;
        self.asked = true;
        self.check_current(file);
        self.source()?;
        if let Some((rest, text)) = self.while_asked.take() {
            self.act(Act::Write(rest));
            self.act(Act::Rotate(text));
        }
        let next = file.index + 1;
        if self.contradicts {
            return Ok(Successor::Unread);
        }
        if next == self.files.len() {
            return Ok(Successor::NoneYet);
        }
        if (self.sent_to as usize) < self.files[file.index].bytes.len() {
            return Ok(Successor::Unread);
        }
        let lost = self.files[next].lost.clone();
        Ok(self.enter(next, 0, lost))
    }

    fn size(&mut self, file: &File) -> Result<u64, SourceError> {
        self.calls += 1;
        self.check_current(file);
        self.source()?;
        Ok(self.files[file.index].bytes.len() as u64)
    }

    fn read(&mut self, file: &File, offset: u64, max: u32) -> Result<String, SourceError> {
        self.calls += 1;
        self.check_current(file);
        assert!(max > 0, "a read of nothing looks like the end of the file");
        assert!(offset <= self.read_to, "a read follows what was read before");
        self.source()?;
        let rest = self.files[file.index].bytes.get(offset as usize..).unwrap_or_default();
        let piece = &rest[..rest.len().min(max as usize)];
        self.read_to = offset + piece.len() as u64;
        Ok(piece.to_string())
    }

    fn len(&mut self, chunk: &String) -> u32 {
        self.calls += 1;
        chunk.len() as u32
    }

    fn window(&mut self) -> u64 {
        self.calls += 1;
        if self.linked { self.window } else { 0 }
    }

    fn send(&mut self, data: &String, file: &File, reached: u64) -> Result<(), SendError> {
        self.calls += 1;
        self.check_current(file);
        assert_eq!(self.unreported, None, "a gap is reported before anything is sent");
        assert_eq!(reached, self.sent_to + data.len() as u64, "what is sent follows what was sent before");
        if !self.linked {
            return Err(SendError::Disconnected);
        }
        if let Some(error) = self.refusals.pop_front() {
            return Err(error);
        }
        if data.len() as u64 > self.window {
            return Err(SendError::WindowFull);
        }
        if data.len() as u32 > self.limit {
            return Err(SendError::TooLarge(self.limit));
        }
        self.window -= data.len() as u64;
        self.sent_to = reached;
        self.in_flight.push(InFlight { file: file.index, reached });
        self.heard.push(format!("sent {data}"));
        Ok(())
    }

    fn report_gap(&mut self, lost: &String) -> Result<(), SendError> {
        self.calls += 1;
        if !self.linked {
            return Err(SendError::Disconnected);
        }
        if let Some(error) = self.refusals.pop_front() {
            return Err(error);
        }
        self.unreported = None;
        self.heard.push(format!("gap of {lost}"));
        Ok(())
    }

    fn gap_in_words(&mut self, why: String) -> String {
        self.calls += 1;
        format!("unknown length: {why}")
    }

    fn say(&mut self, level: Level, words: &str) {
        self.calls += 1;
        self.heard.push(format!("{level:?}: {words}"));
    }
}
