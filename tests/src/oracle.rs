//! What a store may have, compared byte by byte with what the job wrote.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Fails unless the stored log is a beginning of what the job has written. `moment` says when that was, for the message.
/// Look at the job after the log: it writes on.
pub fn is_beginning(moment: &str, stored: &[u8], written: &[u8]) {
    if !written.starts_with(stored) {
        panic!("{moment}: the server has what the job did not write: {}", difference(stored, written));
    }
}

/// Where two contents part, for a message.
pub fn difference(found: &[u8], wanted: &[u8]) -> String {
    let at = found.iter().zip(wanted).take_while(|(a, b)| a == b).count();
    let around = |content: &[u8]| {
        let shown = &content[at.saturating_sub(80).min(content.len())..content.len().min(at + 80)];
        String::from_utf8_lossy(shown).into_owned()
    };
    format!(
        "{} bytes instead of {}, the same up to byte {at}; there it has\n{:?}\n--- instead of\n{:?}",
        found.len(),
        wanted.len(),
        around(found),
        around(wanted)
    )
}

/// What the store has of a log; nothing if it is not there yet.
pub fn read(path: &Path) -> Vec<u8> {
    match std::fs::read(path) {
        Ok(content) => content,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => panic!("{}: {e}", path.display()),
    }
}

/// Waits until the file has so many bytes.
///
/// It looks again and again: the file may not be there yet, and for that there is no event that could be waited for.
pub fn grows(moment: &str, path: &Path, bytes: u64) {
    let start = Instant::now();
    let length = || std::fs::metadata(path).map_or(0, |found| found.len());
    while length() < bytes {
        assert!(
            start.elapsed() < PATIENCE,
            "{moment}: {} has {} bytes, not the {bytes} that were waited for",
            path.display(),
            length()
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}
