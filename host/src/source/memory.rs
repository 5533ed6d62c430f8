//! Bytes that were read and that the server has not acknowledged. Their source may be cut before the server has them, so
//! they stay here until then.

use std::collections::VecDeque;

use bytes::Bytes;

use super::anchor::{SPAN, span};

/// What is known of one file between what is acknowledged and what was read, and a little before it for the anchors.
pub(super) struct Memory {
    /// The last bytes before `start`, at most [`SPAN`].
    before: Vec<u8>,
    start: u64,
    /// Pieces with their offsets, without holes between them.
    chunks: VecDeque<(u64, Bytes)>,
    end: u64,
}

impl Memory {
    /// Nothing from `start` on; `before` are the [`span`] bytes before it.
    pub fn new(start: u64, before: Vec<u8>) -> Self {
        debug_assert_eq!(before.len(), span(start));
        Self { before, start, chunks: VecDeque::new(), end: start }
    }

    /// From where on the bytes are held.
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The end of what was read.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Takes bytes that begin at `offset`, between `start` and `end`, and reach to the new end. What is held from `offset`
    /// on is the same bytes, and is held once.
    pub fn put(&mut self, offset: u64, bytes: Bytes) {
        while let Some((at, last)) = self.chunks.back_mut()
            && *at + last.len() as u64 > offset
        {
            if *at >= offset {
                self.chunks.pop_back();
            } else {
                last.truncate((offset - *at) as usize);
            }
        }
        self.end = offset + bytes.len() as u64;
        if !bytes.is_empty() {
            self.chunks.push_back((offset, bytes));
        }
    }

    /// The piece that holds `offset`, from there and at most `max` bytes. Empty where nothing is held.
    pub fn get(&self, offset: u64, max: usize) -> Bytes {
        if offset < self.start || offset >= self.end {
            return Bytes::new();
        }
        let index = self.chunks.partition_point(|(at, _)| *at <= offset);
        let Some((at, chunk)) = index.checked_sub(1).and_then(|index| self.chunks.get(index)) else {
            return Bytes::new();
        };
        let from = (offset - at) as usize;
        chunk.slice(from..chunk.len().min(from.saturating_add(max)))
    }

    /// Copies what is held from `offset` on, as much as fits, and returns how much that is.
    pub fn copy(&self, offset: u64, buf: &mut [u8]) -> usize {
        let mut filled = 0;
        while filled < buf.len() {
            let piece = self.get(offset + filled as u64, buf.len() - filled);
            if piece.is_empty() {
                break;
            }
            buf[filled..filled + piece.len()].copy_from_slice(&piece);
            filled += piece.len();
        }
        filled
    }

    /// The [`span`] bytes before `offset`, into `buf`; none where `offset` is not between `start` and `end`.
    pub fn tail<'a>(&self, offset: u64, buf: &'a mut [u8; SPAN]) -> Option<&'a [u8]> {
        if offset < self.start || offset > self.end {
            return None;
        }
        let length = span(offset);
        let from = offset - length as u64;
        let mut filled = 0;
        if from < self.start {
            let wanted = ((self.start - from) as usize).min(length);
            let skipped = self.before.len() - (self.start - from) as usize;
            buf[..wanted].copy_from_slice(&self.before[skipped..skipped + wanted]);
            filled = wanted;
        }
        filled += self.copy(from + filled as u64, &mut buf[filled..length]);
        debug_assert_eq!(filled, length);
        Some(&buf[..length])
    }

    /// Lets go of what lies before `offset`.
    pub fn forget(&mut self, offset: u64) {
        let offset = offset.min(self.end);
        if offset <= self.start {
            return;
        }
        let mut buf = [0; SPAN];
        if let Some(tail) = self.tail(offset, &mut buf) {
            self.before = tail.to_vec();
        }
        self.start = offset;
        while let Some((at, chunk)) = self.chunks.front_mut()
            && *at < offset
        {
            let gone = (offset - *at) as usize;
            if gone >= chunk.len() {
                self.chunks.pop_front();
            } else {
                *chunk = chunk.slice(gone..);
                *at = offset;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(pieces: &[&'static str]) -> Memory {
        let mut memory = Memory::new(0, Vec::new());
        for piece in pieces {
            memory.put(memory.end(), Bytes::from_static(piece.as_bytes()));
        }
        memory
    }

    fn tail(memory: &Memory, offset: u64) -> Option<Vec<u8>> {
        memory.tail(offset, &mut [0; SPAN]).map(<[u8]>::to_vec)
    }

    #[test]
    fn a_piece_is_given_back_from_any_offset_and_shares_its_memory() {
        let piece = Bytes::from(vec![7; 100]);
        let mut memory = memory(&["ab"]);
        memory.put(2, piece.clone());
        assert_eq!(memory.get(1, 10), "b");
        assert_eq!(memory.get(12, 1000).as_ptr(), piece[10..].as_ptr());
        assert_eq!(memory.get(12, 5).len(), 5);
        assert!(memory.get(102, 5).is_empty());
    }

    #[test]
    fn bytes_put_again_are_held_once() {
        let mut memory = memory(&["abc", "def"]);
        memory.put(2, Bytes::from_static(b"cdefgh"));
        let mut all = [0; 20];
        let length = memory.copy(0, &mut all);
        assert_eq!(&all[..length], b"abcdefgh");
        assert_eq!(memory.end(), 8);
    }

    #[test]
    fn what_is_before_an_offset_is_known_also_after_it_was_let_go() {
        let mut memory = memory(&["abc", "def", "ghi"]);
        memory.forget(4);
        assert_eq!(memory.get(4, 10), "ef");
        assert!(memory.get(3, 10).is_empty());
        assert_eq!(tail(&memory, 4).unwrap(), b"abcd");
        assert_eq!(tail(&memory, 8).unwrap(), b"abcdefgh");
        assert_eq!(tail(&memory, 3), None);
        memory.forget(9);
        assert_eq!(tail(&memory, 9).unwrap(), b"abcdefghi");
    }

    #[test]
    fn of_a_long_file_only_one_span_before_the_offset_is_kept() {
        let text: Vec<u8> = (0..3000u32).flat_map(|n| n.to_le_bytes()).collect();
        let mut memory = Memory::new(0, Vec::new());
        memory.put(0, Bytes::from(text.clone()));
        memory.forget(10_000);
        assert_eq!(memory.before.len(), SPAN);
        assert_eq!(tail(&memory, 10_000).unwrap(), text[10_000 - SPAN..10_000]);
        assert_eq!(tail(&memory, 12_000).unwrap(), text[12_000 - SPAN..]);
    }
}
