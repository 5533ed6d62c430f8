//! What the policy sees of the world: the part of the contract (`wit/`) that it uses, as a trait.

/// Nanoseconds.
pub type Nanos = u64;

/// The log in the server's store, and a place for words.
pub trait Host {
    /// A piece of the log, which the host holds; the policy passes it on and never sees a byte of it.
    type Chunk;

    /// Stages a piece behind what is stored; it is stored when the step returns well.
    fn append(&mut self, data: &Self::Chunk);

    /// Warns the server's operator, in the host's log.
    fn warn(&mut self, words: &str);
}
