//! The default streamer with a function over lines between reading and sending.

use std::rc::Rc;

use crate::host::{Content, Found, Host, Level, Nanos, SendError, SourceError, Successor};
use crate::streamer::{Next, Settings, Streamer, Wake};
use crate::{Custom, Lines, Policy};

mod work;

#[cfg(test)]
mod tests;

use work::Work;

/// A [`Lines`] policy for one stream: the default streamer decides when and from where, the lines what.
pub struct Filter<H: Content, P: Lines> {
    streamer: Streamer<Through<H, P>>,
    through: Through<H, P>,
    poll_interval: Nanos,
}

impl<H: Content, P: Lines> Policy<H> for Filter<H, P> {
    fn start(host: H, settings: Settings) -> Result<Self, String> {
        let custom = Custom::new(settings.custom);
        // How much is read at a time is up to the lines: the streamer's only bound is the end of a snapshot.
        let streamer = Streamer::start(Settings { max_chunk_size: u32::MAX, custom: Vec::new(), ..settings })?;
        if settings.max_chunk_size == 0 {
            return Err("the chunk size is 0, so nothing can be read; set it to 256 KiB or so".into());
        }
        let work = Work::new(fresh(&custom)?);
        let through = Through {
            host,
            custom,
            chunk_size: settings.max_chunk_size,
            work,
            used: false,
            current: None,
            read_to: 0,
            settled: 0,
            parts_sent: 0,
            wrong: None,
        };
        Ok(Self { streamer, through, poll_interval: settings.poll_interval })
    }

    fn step(&mut self, wake: Wake) -> Result<Next, String> {
        let next = self.streamer.step(&mut self.through, wake);
        if let Some(wrong) = self.through.wrong.take() {
            return Err(wrong);
        }
        match next? {
            Next::Finished => self.last_line(),
            next => Ok(next),
        }
    }
}

impl<H: Content, P: Lines> Filter<H, P> {
    /// Sends what is left at the end of the stream: a last line without line feed, and the position behind all of it.
    fn last_line(&mut self) -> Result<Next, String> {
        let through = &mut self.through;
        let Some(file) = through.current.clone() else { return Ok(Next::Finished) };
        if through.read_to == through.settled && through.work.is_empty() {
            return Ok(Next::Finished);
        }
        // Again at the next try, it has no more to say.
        through.work.finish();
        let piece = Piece { source: 0, out: through.work.all_out(), was_all: true };
        match through.send_piece(&piece, &file, through.read_to) {
            Ok(()) => {
                through.settled = through.read_to;
                Ok(Next::Finished)
            }
            Err(SendError::WindowFull | SendError::Disconnected) => {
                through.work.give_back(piece.out);
                Ok(Next::Wait(through.host.now().saturating_add(self.poll_interval)))
            }
            Err(error) => Err(["the host does not take the last line: ", &format!("{error:?}")].concat()),
        }
    }
}

/// A policy from the settings, all of which it must take.
fn fresh<P: Lines>(custom: &Custom) -> Result<P, String> {
    let mut custom = custom.clone();
    let policy = P::start(&mut custom)?;
    custom.done()?;
    Ok(policy)
}

/// A host whose files hold what the lines leave of them. Offsets stay those of the source.
struct Through<H: Content, P: Lines> {
    host: H,
    custom: Custom,
    chunk_size: u32,
    work: Work<P>,
    /// Whether the policy has seen a byte since it was made.
    used: bool,
    current: Option<Rc<H::File>>,
    /// How far the current file was read.
    read_to: u64,
    /// How far of the current file the pieces go that were made.
    settled: u64,
    /// How many parts of the piece that is being sent are queued.
    parts_sent: usize,
    /// Why the policy can't go on.
    wrong: Option<String>,
}

/// What a stretch of the source came to.
struct Piece {
    /// Length of the stretch.
    source: u32,
    out: Vec<u8>,
    /// Whether the file had no more when this was read.
    was_all: bool,
}

/// The most of the source that waits for a place where its range can end; then it ends all the same. The host bounds what
/// is read ahead to a few megabytes.
const HELD: u64 = 1 << 20;

impl<H: Content, P: Lines> Through<H, P> {
    fn enter(&mut self, found: Found<H::File, H::Gap>) -> Successor<Rc<H::File>, H::Gap> {
        let file = Rc::new(found.file);
        self.current = Some(file.clone());
        (self.read_to, self.settled) = (found.offset, found.offset);
        Successor::Next(Found { file, offset: found.offset, lost: found.lost })
    }

    /// Reads until there is something whose range can end, or nothing more. What there is of it.
    fn piece(&mut self, file: &Rc<H::File>, until: u64) -> Result<Piece, SourceError> {
        // What waits from a read before is not all that is there.
        let mut was_all = false;
        loop {
            self.work.go_on();
            // What waits in memory is the end of what was read, so its length tells where the stream is.
            let end = self.read_to.saturating_sub(self.work.unsettled());
            let held = self.read_to.saturating_sub(self.settled);
            let settled = if self.work.is_settled() && end > self.settled {
                Some((end, self.work.settled_out()))
            } else if held > HELD {
                self.work.settle().map(|out| (self.read_to.saturating_sub(self.work.unsettled()), out))
            } else {
                None
            };
            if let Some((end, out)) = settled.filter(|(end, _)| *end > self.settled) {
                let source = u32::try_from(end - self.settled).unwrap_or(u32::MAX);
                self.settled = end;
                return Ok(Piece { source, out, was_all });
            }
            let most = until.saturating_sub(self.read_to).min(u64::from(self.chunk_size));
            if most == 0 {
                return Ok(Piece { source: 0, out: Vec::new(), was_all: true });
            }
            let chunk = self.host.read(file, self.read_to, u32::try_from(most).unwrap_or(u32::MAX))?;
            let bytes = self.host.bytes(&chunk);
            drop(chunk);
            if bytes.is_empty() {
                return Ok(Piece { source: 0, out: Vec::new(), was_all: true });
            }
            was_all = (bytes.len() as u64) < most;
            self.used = true;
            self.read_to = self.read_to.saturating_add(bytes.len() as u64);
            self.work.take(&bytes);
        }
    }

    /// Sends what a stretch came to, in as many parts as it needs. After an error it goes on with the part that was not
    /// taken.
    fn send_piece(&mut self, piece: &Piece, file: &H::File, reached: u64) -> Result<(), SendError> {
        let parts: Vec<_> = piece.out.chunks(self.chunk_size as usize).collect();
        let Some((last, parts)) = parts.split_last() else {
            return self.host.skip(file, reached);
        };
        for part in parts.iter().skip(self.parts_sent) {
            let chunk = self.host.chunk(part);
            self.host.send_part(&chunk)?;
            self.parts_sent += 1;
        }
        let chunk = self.host.chunk(last);
        self.host.send(&chunk, file, reached)?;
        self.parts_sent = 0;
        Ok(())
    }
}

impl<H: Content, P: Lines> Host for Through<H, P> {
    type File = Rc<H::File>;
    type Chunk = Piece;
    type Gap = H::Gap;

    fn now(&mut self) -> Nanos {
        self.host.now()
    }

    fn resume(&mut self) -> Result<Successor<Self::File, Self::Gap>, SourceError> {
        // What was read is read again from where the server stands, so what the policy remembers is of no use.
        if self.used {
            match fresh(&self.custom) {
                Ok(policy) => self.work = Work::new(policy),
                Err(words) => {
                    self.wrong = Some(words.clone());
                    return Err(SourceError::Other(words));
                }
            }
            self.used = false;
        }
        self.current = None;
        self.parts_sent = 0;
        match self.host.resume()? {
            Successor::Next(found) => {
                if let Some(before) = found.offset.checked_sub(1) {
                    let chunk = self.host.read(&found.file, before, 1)?;
                    // Nothing to read there: the file was cut meanwhile, and what comes is another text.
                    if self.host.bytes(&chunk).first().is_some_and(|byte| *byte != b'\n') {
                        self.work.begin_within_line();
                        self.used = true;
                    }
                }
                Ok(self.enter(found))
            }
            Successor::NoneYet => Ok(Successor::NoneYet),
            Successor::Unread => Ok(Successor::Unread),
            Successor::Other(words) => Ok(Successor::Other(words)),
        }
    }

    fn after(&mut self, file: &Self::File) -> Result<Successor<Self::File, Self::Gap>, SourceError> {
        // A line that the old file ends within goes on in the next one, as it does for who reads the stored log.
        match self.host.after(file)? {
            Successor::Next(found) => Ok(self.enter(found)),
            Successor::NoneYet => Ok(Successor::NoneYet),
            Successor::Unread => Ok(Successor::Unread),
            Successor::Other(words) => Ok(Successor::Other(words)),
        }
    }

    fn size(&mut self, file: &Self::File) -> Result<u64, SourceError> {
        self.host.size(file)
    }

    fn read(&mut self, file: &Self::File, offset: u64, max: u32) -> Result<Piece, SourceError> {
        self.piece(file, offset.saturating_add(u64::from(max)))
    }

    fn len(&mut self, chunk: &Piece) -> u32 {
        chunk.source
    }

    fn was_all(&mut self, chunk: &Piece, _: u32) -> bool {
        chunk.was_all
    }

    fn window(&mut self) -> u64 {
        // A range may overrun what is left of a window that is not 0, and less than a line can't be judged.
        if self.host.window() == 0 { 0 } else { u64::MAX }
    }

    fn send(&mut self, data: &Piece, file: &Self::File, reached: u64) -> Result<(), SendError> {
        self.send_piece(data, file, reached).map_err(|error| match error {
            // Lines were made of more than fits; less of the source would not help, and was consumed.
            SendError::TooLarge(limit) => {
                SendError::Other(["the policy made more than ", &limit.to_string(), " bytes of one line"].concat())
            }
            error => error,
        })
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
