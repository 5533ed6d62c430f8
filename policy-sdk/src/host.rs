//! What the policy sees of the world: the part of the contract (`wit/`) that it uses, as a trait.

/// Nanoseconds, as a duration or since the arbitrary start of [`Host::now`].
pub type Nanos = u64;

/// The granted log, the stream to the server, the clock, and a place for words.
///
/// Handles are associated types, so that the policy never sees a byte of the log: it passes on what it is given.
pub trait Host {
    /// An open file of the granted log; it stays readable while it is held.
    type File;
    /// A piece of the log, which the host holds.
    type Chunk;
    /// What was lost at the source, as the host describes it. The policy hands it on and does not look inside.
    type Gap;

    /// Monotonic time.
    fn now(&mut self) -> Nanos;

    /// Where to go on from what the server has. Files from before this call are stale.
    fn resume(&mut self) -> Result<Successor<Self::File, Self::Gap>, SourceError>;

    /// What comes after `file`, which has been read to its end.
    fn after(&mut self, file: &Self::File) -> Result<Successor<Self::File, Self::Gap>, SourceError>;

    /// The size of `file` now, in bytes.
    fn size(&mut self, file: &Self::File) -> Result<u64, SourceError>;

    /// At most `max` bytes of `file` from `offset`; an empty chunk is the end of the file.
    fn read(&mut self, file: &Self::File, offset: u64, max: u32) -> Result<Self::Chunk, SourceError>;

    /// Length of a chunk in bytes.
    fn len(&mut self, chunk: &Self::Chunk) -> u32;

    /// Whether the file had no more when this was read, of which `most` was asked for.
    fn was_all(&mut self, chunk: &Self::Chunk, most: u32) -> bool {
        self.len(chunk) < most
    }

    /// How many bytes may be sent now. The host wakes the policy when it has answered 0 and the window opens again.
    fn window(&mut self) -> u64;

    /// Queues `data`, which reaches up to the offset `reached` of `file`.
    fn send(&mut self, data: &Self::Chunk, file: &Self::File, reached: u64) -> Result<(), SendError>;

    /// Tells the server what was lost. Stored with the range that follows, or with the end of the stream.
    fn report_gap(&mut self, lost: &Self::Gap) -> Result<(), SendError>;

    /// A gap of a length that nobody knows, with its reason in words.
    fn gap_in_words(&mut self, why: String) -> Self::Gap;

    /// Says something to the site's operator, in the host's log.
    fn say(&mut self, level: Level, words: &str);
}

/// What a policy needs beside [`Host`] that looks at bytes, or makes others of them.
pub trait Content: Host {
    /// A copy of a chunk's bytes.
    fn bytes(&mut self, chunk: &Self::Chunk) -> Vec<u8>;

    /// A chunk of the policy's own bytes; at most as many as `max_chunk_size` of the settings.
    fn chunk(&mut self, bytes: &[u8]) -> Self::Chunk;

    /// Adds bytes to the range that the next `send` or `skip` ends. All of a range is stored, or nothing.
    fn send_part(&mut self, data: &Self::Chunk) -> Result<(), SendError>;

    /// Moves the position over bytes that are not let out, ending the range like `send` with no bytes.
    fn skip(&mut self, file: &Self::File, reached: u64) -> Result<(), SendError>;
}

/// What comes next in the source.
#[derive(Debug)]
pub enum Successor<File, Gap> {
    /// Nothing yet: the log has not appeared, or the file that was asked about is still the live one.
    NoneYet,
    /// There is a successor, but the file that was asked about has bytes that were not read.
    Unread,
    /// Go on with this file.
    Next(Found<File, Gap>),
    /// Something that this policy does not know, in words.
    Other(String),
}

/// A file to go on with.
#[derive(Debug)]
pub struct Found<File, Gap> {
    /// The file.
    pub file: File,
    /// Where in it to go on, in bytes.
    pub offset: u64,
    /// What was lost on the way to it; to be reported before anything of this file is sent.
    pub lost: Option<Gap>,
}

/// Why the source could not be read. The call can be made again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceError {
    /// The host's user may not read it; in words, with the file.
    Denied(String),
    /// Any other failure, in words.
    Other(String),
}

/// Why something was not queued. Nothing of the call took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// More than the window takes now.
    WindowFull,
    /// The link is down; [`Wake::Connected`](crate::streamer::Wake::Connected) follows.
    Disconnected,
    /// More than one range may carry; the limit in bytes.
    TooLarge(u32),
    /// The position is none that the host can take, in words.
    BadPosition(String),
    /// A gap was not reported before sending.
    GapUnreported,
    /// Any other failure, in words.
    Other(String),
}

/// How much a message matters. The contract has more levels; these are the ones that this policy uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something is wrong that the operator can change.
    Warn,
}
