//! How lines are chained.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::entry::Entry;
use crate::policy::hex;

/// What the first line has as the hash of the line before.
const NONE: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// Between what is hashed and the hash.
const HASH: &str = ",\"hash\":\"";

/// The end of a chain: what the next line goes on from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// Lines of the chain.
    pub number: u64,
    /// The last one's hash.
    pub hash: String,
}

impl Default for End {
    fn default() -> Self {
        Self { number: 0, hash: NONE.into() }
    }
}

#[derive(Serialize, Deserialize)]
struct Line {
    n: u64,
    at: String,
    prev: String,
    #[serde(flatten)]
    entry: Entry,
}

impl End {
    /// The next line, with its line feed; the chain ends with it then.
    pub fn line(&mut self, entry: &Entry, at: SystemTime) -> Vec<u8> {
        let at = humantime::format_rfc3339_millis(at).to_string();
        let line = Line { n: self.number + 1, at, prev: self.hash.clone(), entry: entry.clone() };
        // Text, numbers and lists of them always have a form in JSON.
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.pop();
        let hash = digest(&bytes);
        bytes.extend_from_slice(format!("{HASH}{hash}\"}}\n").as_bytes());
        *self = Self { number: line.n, hash };
        bytes
    }
}

/// SHA-256 in hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// A line's place in the chain, the hash that it says the line before has, and what it says; or what is wrong with it by
/// itself. Without its line feed.
pub fn parse(line: &[u8]) -> Result<(End, String, Entry), String> {
    let text = std::str::from_utf8(line).map_err(|_| "it is not text".to_owned())?;
    let (said, rest) = text.rsplit_once(HASH).ok_or("it has no hash")?;
    let hash = rest.strip_suffix("\"}").ok_or("its hash is not at its end")?;
    if digest(said.as_bytes()) != hash {
        return Err("its hash is not that of its text: it was changed".into());
    }
    let line: Line = serde_json::from_str(&format!("{said}}}")).map_err(|e| format!("it is no entry: {e}"))?;
    Ok((End { number: line.n, hash: hash.into() }, line.prev, line.entry))
}
