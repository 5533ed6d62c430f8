//! Where the last lines of a log begin.

use std::io;

/// How much is read at a time, from the end towards the beginning.
const PIECE: u64 = 64 << 10;

/// The offset where the last `lines` lines of the first `length` bytes begin; a last line without a line feed counts as
/// one. `length` for no lines, 0 if there are fewer. `read` fills its buffer with the bytes at an offset.
pub(super) fn last_lines(
    lines: u64,
    length: u64,
    mut read: impl FnMut(&mut [u8], u64) -> io::Result<()>,
) -> io::Result<u64> {
    if lines == 0 {
        return Ok(length);
    }
    let mut buffer = vec![0; PIECE as usize];
    // The line feed that ends the last line begins none.
    let mut from = length.saturating_sub(1);
    let mut found = 0;
    while from > 0 {
        let start = from.saturating_sub(PIECE);
        let piece = &mut buffer[..(from - start) as usize];
        read(piece, start)?;
        for (at, _) in piece.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n') {
            found += 1;
            if found == lines {
                return Ok(start + at as u64 + 1);
            }
        }
        from = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last(text: &[u8], lines: u64) -> u64 {
        let read = |buffer: &mut [u8], at: u64| {
            buffer.copy_from_slice(&text[at as usize..at as usize + buffer.len()]);
            Ok(())
        };
        last_lines(lines, text.len() as u64, read).unwrap()
    }

    #[test]
    fn the_last_lines_are_those_that_tail_shows() {
        for (text, lines, begin) in [
            ("", 1, 0),
            ("a\nb\nc\n", 0, 6),
            ("a\nb\nc\n", 1, 4),
            ("a\nb\nc", 1, 4),
            ("a\nb\nc\n", 2, 2),
            ("a\nb\nc\n", 3, 0),
            ("a\nb\nc\n", 9, 0),
            ("\n\n\n", 2, 1),
            ("no end", 1, 0),
            ("\n", 1, 0),
        ] {
            assert_eq!(last(text.as_bytes(), lines), begin, "the last {lines} of {text:?}");
        }
    }

    #[test]
    fn lines_longer_than_what_is_read_at_a_time_are_found() {
        let mut text = Vec::from("first\n");
        text.extend(vec![b'x'; 3 * PIECE as usize]);
        text.push(b'\n');
        text.extend(vec![b'y'; PIECE as usize - 1]);
        text.push(b'\n');
        assert_eq!(last(&text, 1), text.len() as u64 - PIECE);
        assert_eq!(last(&text, 2), 6);
        assert_eq!(last(&text, 3), 0);
    }
}
