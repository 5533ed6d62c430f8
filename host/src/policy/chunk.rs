//! Bytes that a policy holds by handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;

use super::limits;

/// Bytes of a log. Slices share the buffer; what an instance pins is counted by buffers, since a slice of one byte keeps
/// all of its buffer alive.
#[derive(Debug, Clone)]
pub struct Chunk {
    bytes: Bytes,
    _buffer: Arc<Pinned>,
}

impl Chunk {
    /// The bytes, sharing memory.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// A part that shares memory, or nothing where the range is not within the chunk.
    pub fn slice(&self, start: u32, end: u32) -> Option<Chunk> {
        let (start, end) = (start as usize, end as usize);
        (start <= end && end <= self.bytes.len())
            .then(|| Chunk { bytes: self.bytes.slice(start..end), _buffer: self._buffer.clone() })
    }
}

/// A buffer that live chunks keep alive; counted until the last of them is gone.
#[derive(Debug)]
struct Pinned {
    size: usize,
    account: Arc<AtomicUsize>,
}

impl Drop for Pinned {
    fn drop(&mut self) {
        self.account.fetch_sub(self.size, Ordering::Relaxed);
    }
}

/// How many bytes the chunks of one instance pin.
#[derive(Debug, Default)]
pub struct Account(Arc<AtomicUsize>);

impl Account {
    /// Makes a chunk, or says which limit it would break.
    pub fn chunk(&self, bytes: Bytes) -> wasmtime::Result<Chunk> {
        let size = bytes.len();
        let before = self.0.fetch_add(size, Ordering::Relaxed);
        let buffer = Arc::new(Pinned { size, account: self.0.clone() });
        if before + size > limits::PINNED {
            wasmtime::bail!("its chunks hold more than {} bytes: drop handles earlier", limits::PINNED);
        }
        Ok(Chunk { bytes, _buffer: buffer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_of_one_byte_pins_its_whole_buffer() {
        let account = Account::default();
        let whole = account.chunk(Bytes::from(vec![0; limits::PINNED])).unwrap();
        let slice = whole.slice(0, 1).unwrap();
        drop(whole);
        assert!(account.chunk(Bytes::from_static(b"x")).is_err());
        drop(slice);
        assert!(account.chunk(Bytes::from_static(b"x")).is_ok());
    }

    #[test]
    fn a_range_outside_of_the_chunk_has_no_slice() {
        let chunk = Account::default().chunk(Bytes::from_static(b"abc")).unwrap();
        assert_eq!(chunk.slice(1, 3).unwrap().bytes().as_ref(), b"bc");
        assert!(chunk.slice(2, 1).is_none());
        assert!(chunk.slice(0, 4).is_none());
    }
}
