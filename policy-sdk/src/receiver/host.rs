//! What a receiver policy sees of the world: the part of the contract (`wit/`) that it uses, as a trait.

/// Nanoseconds.
pub type Nanos = u64;

/// What the store has of one site and job.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// How many logs.
    pub logs: u32,
    /// How many bytes.
    pub bytes: u64,
}

/// How much a message matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Worth knowing.
    Info,
    /// Something is wrong that the operator can change.
    Warn,
}

/// The log in the server's store, and a place for words.
pub trait Store {
    /// A piece of the log, which the host holds.
    type Chunk;

    /// The length of a piece, in bytes.
    fn len(&mut self, data: &Self::Chunk) -> u64;

    /// Stages a piece behind what is stored; it is stored when the step returns well.
    fn append(&mut self, data: &Self::Chunk);

    /// The data of this step is not stored, on purpose; the reason is kept with the stream.
    fn drop_data(&mut self, why: &str);

    /// Bytes stored of this log, without what is staged.
    fn size(&mut self) -> u64;

    /// What the store has of the same site and job now, without this log.
    fn others(&mut self) -> Usage;

    /// Says something to the server's operator, in the host's log.
    fn say(&mut self, level: Level, words: &str);
}
