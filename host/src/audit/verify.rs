//! Checks a chain from its first line to its last.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::AuditError;
use super::chain::{self, End};
use super::entry::Entry;

/// No entry is longer; what is longer is not read on.
const LONGEST: u64 = 1 << 20;

/// A chain that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Its entries.
    pub entries: u64,
    /// Torn lines that a later entry tells of.
    pub repaired: u64,
    /// Bytes behind the last whole line: a crash, which the next process that writes repairs.
    pub torn: u64,
    /// The hash of the last entry, to be noted elsewhere.
    pub last: String,
    /// Whether the hash that was asked for is in the chain.
    pub has_hash: bool,
}

/// Checks the file, and whether a hash that was noted before is in it.
///
/// # Errors
///
/// The file can't be read, or its chain is broken: with the first line that does not hold.
pub fn verify(file: &Path, noted: Option<&str>) -> Result<Verified, AuditError> {
    let failed = |reason| AuditError::Io { file: file.into(), action: "read", reason };
    let mut reader = BufReader::new(File::open(file).map_err(failed)?);
    let mut end = End::default();
    let mut verified = Verified { entries: 0, repaired: 0, torn: 0, last: String::new(), has_hash: false };
    // A line that does not hold and may turn out to be one that was torn: its number, digest, length and fault.
    let mut torn: Option<(u64, String, u64, String)> = None;
    let mut number = 0;
    loop {
        let mut line = Vec::new();
        std::io::Read::take(&mut reader, LONGEST).read_until(b'\n', &mut line).map_err(failed)?;
        let broken = |line: u64, reason: String| Err(AuditError::Broken { file: file.into(), line, reason });
        if line.pop_if(|last| *last == b'\n').is_none() {
            verified.torn = line.len() as u64;
            if let Some((number, _, _, reason)) = torn {
                return broken(number, reason);
            }
            verified.entries = end.number;
            verified.last = end.hash;
            return Ok(verified);
        }
        number += 1;
        let (this, previous, entry) = match chain::parse(&line) {
            Ok(parsed) => parsed,
            Err(reason) => match torn {
                Some((number, _, _, reason)) => return broken(number, reason),
                None => {
                    torn = Some((number, chain::digest(&line), line.len() as u64, reason));
                    continue;
                }
            },
        };
        if let Some((torn_at, digest, length, reason)) = torn.take() {
            match &entry {
                Entry::Repaired { torn_bytes, torn_sha256 } if *torn_bytes == length && *torn_sha256 == digest => {
                    verified.repaired += 1;
                }
                _ => return broken(torn_at, reason),
            }
        }
        if previous != end.hash {
            return broken(number, "it does not go on from the line before: one was taken out, put in or moved".into());
        }
        if this.number != end.number + 1 {
            return broken(number, format!("it has the number {}, and {} is the next", this.number, end.number + 1));
        }
        verified.has_hash |= noted == Some(this.hash.as_str());
        end = this;
    }
}
