//! Mistakes that policies are made with: most of them show only when something breaks.

use fedtail_policy_sdk::host::{Content, Found, Host, Level, Nanos, SendError, SourceError, Successor};

/// A host that changes what is sent through it, in the way that was asked for; in none, if it is not known here.
pub struct Careless<H> {
    host: H,
    does: Option<Does>,
    /// How often the stream was gone on with.
    openings: u32,
    /// Whether something was sent since.
    sent: bool,
}

enum Does {
    /// Makes capitals of small letters, and does not wait for the rest of a line.
    TearLines,
    /// Sends the first line of what it goes on with twice, if it was there before.
    DoubleALine,
    /// Sends each tenth line twice, whatever happens.
    DoubleLines,
    /// Leaves out the first line of what it goes on with, if it was there before.
    LoseALine,
    /// Leaves out a last line that has no end.
    LoseTheLastLine,
    /// Traps when it goes on, if it was there before.
    TrapLater,
    /// Sends each piece in two halves. That is no mistake.
    Halve,
    /// Puts the number of openings that this instance has seen before each line.
    Remember,
}

impl<H> Careless<H> {
    pub fn new(host: H, does: &str) -> Self {
        let does = Some(match does {
            "tear lines" => Does::TearLines,
            "double a line" => Does::DoubleALine,
            "double lines" => Does::DoubleLines,
            "lose a line" => Does::LoseALine,
            "lose the last line" => Does::LoseTheLastLine,
            "trap later" => Does::TrapLater,
            "halve" => Does::Halve,
            "remember" => Does::Remember,
            _ => return Self { host, does: None, openings: 0, sent: false },
        });
        Self { host, does, openings: 0, sent: false }
    }

    /// What is sent instead of this.
    fn instead(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        let first = !std::mem::replace(&mut self.sent, true) && self.openings > 1;
        let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
        match self.does {
            Some(Does::TearLines) => bytes.to_ascii_uppercase(),
            Some(Does::DoubleALine) if first => [lines.next().unwrap_or_default(), &bytes].concat(),
            Some(Does::LoseALine) if first => lines.skip(1).collect::<Vec<_>>().concat(),
            Some(Does::DoubleLines) => {
                let twice = |(number, line): (usize, &[u8])| line.repeat(if number % 10 == 9 { 2 } else { 1 });
                lines.enumerate().map(twice).collect::<Vec<_>>().concat()
            }
            Some(Does::LoseTheLastLine) => lines.filter(|line| line.ends_with(b"\n")).collect::<Vec<_>>().concat(),
            Some(Does::TrapLater) if first => panic!("later"),
            Some(Does::Remember) => {
                let numbered = |line: &[u8]| [self.openings.to_string().as_bytes(), b" ", line].concat();
                lines.map(numbered).collect::<Vec<_>>().concat()
            }
            _ => bytes,
        }
    }
}

impl<H: Content> Host for Careless<H> {
    type File = H::File;
    type Chunk = H::Chunk;
    type Gap = H::Gap;

    fn resume(&mut self) -> Result<Successor<H::File, H::Gap>, SourceError> {
        let found = self.host.resume()?;
        if let Successor::Next(Found { .. }) = &found {
            self.openings += 1;
            self.sent = false;
        }
        Ok(found)
    }

    fn send(&mut self, data: &H::Chunk, file: &H::File, reached: u64) -> Result<(), SendError> {
        if self.does.is_none() {
            return self.host.send(data, file, reached);
        }
        let bytes = self.host.bytes(data);
        if let Some(Does::Halve) = self.does {
            let halves = bytes.split_at(bytes.len() / 2);
            let (first, second) = (self.host.chunk(halves.0), self.host.chunk(halves.1));
            self.host.send_part(&first)?;
            return self.host.send(&second, file, reached);
        }
        match self.instead(bytes) {
            none if none.is_empty() => self.host.skip(file, reached),
            some => {
                let chunk = self.host.chunk(&some);
                self.host.send(&chunk, file, reached)
            }
        }
    }

    fn now(&mut self) -> Nanos {
        self.host.now()
    }

    fn after(&mut self, file: &H::File) -> Result<Successor<H::File, H::Gap>, SourceError> {
        self.host.after(file)
    }

    fn size(&mut self, file: &H::File) -> Result<u64, SourceError> {
        self.host.size(file)
    }

    fn read(&mut self, file: &H::File, offset: u64, max: u32) -> Result<H::Chunk, SourceError> {
        // Half a chunk, so that what is made of it fits one.
        self.host.read(file, offset, max / 2)
    }

    fn len(&mut self, chunk: &H::Chunk) -> u32 {
        self.host.len(chunk)
    }

    fn window(&mut self) -> u64 {
        self.host.window()
    }

    fn report_gap(&mut self, lost: &H::Gap) -> Result<(), SendError> {
        self.host.report_gap(lost)
    }

    fn gap_in_words(&mut self, why: String) -> H::Gap {
        self.host.gap_in_words(why)
    }

    fn say(&mut self, level: Level, words: &str) {
        self.host.say(level, words);
    }
}
