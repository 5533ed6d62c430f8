//! The log that is measured with: lines as a training job writes them, each of 120 bytes.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Bytes of a line, with its line feed.
pub const LINE: usize = 120;

/// Makes lines, the same ones each time.
pub struct Lines {
    number: u64,
    random: u64,
    line: String,
}

impl Default for Lines {
    fn default() -> Self {
        Self { number: 0, random: 0x9e37_79b9_7f4a_7c15, line: String::with_capacity(2 * LINE) }
    }
}

impl Lines {
    /// The next line. Times go up, figures change, words come again: it compresses like a log.
    pub fn next(&mut self) -> &[u8] {
        // xorshift64, which is enough for figures that don't repeat.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let (number, random) = (self.number, self.random);
        self.number += 1;
        let (second, milli) = (number / 40, number * 25 % 1000);
        let step = ["train", "validate", "aggregate", "exchange"][(random >> 60) as usize % 4];
        self.line.clear();
        // Writing to a string cannot fail.
        let _ = write!(
            self.line,
            "2026-11-{:02} {:02}:{:02}:{:02},{milli:03} - ClientExecutor - INFO - [round={:>3} step={:>6}] {step}: \
             loss={:.6} accuracy={:.4}",
            1 + second / 86_400 % 30,
            second / 3600 % 24,
            second / 60 % 60,
            second % 60,
            number / 10_000 % 1000,
            number % 1_000_000,
            (random & 0xffff_ffff) as f64 / f64::from(u32::MAX),
            (random >> 32) as f64 / f64::from(u32::MAX),
        );
        self.line.truncate(LINE - 1);
        while self.line.len() < LINE - 1 {
            self.line.push(' ');
        }
        self.line.push('\n');
        self.line.as_bytes()
    }
}

/// Writes a log of about `size` bytes, in whole lines; returns how many bytes it has.
pub fn write(path: &Path, size: u64) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut lines = Lines::default();
    let count = size / LINE as u64;
    for _ in 0..count {
        file.write_all(lines.next())?;
    }
    file.flush()?;
    Ok(count * LINE as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_has_120_bytes_and_ends_with_its_line_feed() {
        let mut lines = Lines::default();
        for _ in 0..100_000 {
            let line = lines.next();
            assert_eq!(line.len(), LINE);
            assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(LINE - 1));
        }
    }
}
