//! Buffers for reading, used again. A fresh buffer for each read costs as much as the read itself, in zeroing it and in
//! page faults.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

/// The most bytes of one read. Larger reads are no faster, and pin more memory for a line that somebody keeps.
pub(super) const CHUNK: usize = 256 * 1024;

/// How many idle buffers the process keeps: 8 MiB, enough for the reads that two dozen threads can have under way.
const IDLE: usize = 32;

/// Below this, what was read is copied out, so that a line of a slow log does not pin a whole buffer until the server has
/// it.
const WORTH_A_BUFFER: usize = CHUNK / 4;

static POOL: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer of [`CHUNK`] bytes, which goes back to the process's pool when it is dropped. Its bytes are what its last user
/// left in it.
pub(super) struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
}

impl Buffer {
    /// A buffer from the pool, or a new one.
    pub fn take() -> Self {
        let idle = POOL.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Self { bytes: idle.unwrap_or_else(|| vec![0; CHUNK]), filled: 0 }
    }

    /// All of it, to read into.
    pub fn space(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The first `filled` bytes, as bytes that can be shared.
    pub fn into_bytes(mut self, filled: usize) -> Bytes {
        self.filled = filled.min(self.bytes.len());
        if self.filled < WORTH_A_BUFFER { Bytes::copy_from_slice(self.as_ref()) } else { Bytes::from_owner(self) }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        if pool.len() < IDLE {
            pool.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_filled_is_shown_and_it_stays_while_somebody_holds_it() {
        for filled in [0, 5, WORTH_A_BUFFER, CHUNK] {
            let mut buffer = Buffer::take();
            buffer.space().fill(b'x');
            let bytes = buffer.into_bytes(filled);
            let mut next = Buffer::take();
            next.space().fill(b'y');
            assert_eq!(bytes.len(), filled);
            assert!(bytes.iter().all(|byte| *byte == b'x'));
        }
    }
}
