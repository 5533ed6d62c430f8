//! Lies about positions, and files that were not given.

use fedtail_policy_sdk::component::bindings::streamer::fedtail::policy::chunks::Chunk;
use fedtail_policy_sdk::component::bindings::streamer::fedtail::policy::log_source::{self, Found, LogFile, Successor};
use fedtail_policy_sdk::component::bindings::streamer::fedtail::policy::transport;

/// What was asked for, if it is known here. An error of the host is the policy's own.
pub fn step(does: &str, old: &mut Vec<LogFile>) -> Option<Result<(), String>> {
    let lie: fn(&Found, &mut Vec<LogFile>) -> Result<(), String> = match does {
        "go backwards" => |found, _| {
            let four = found.file.read(found.offset, 4).map_err(words)?;
            transport::send(&four, &found.file, 4).map_err(words)?;
            transport::send(&four, &found.file, 2).map_err(words)
        },
        "go beyond what was read" => |found, _| {
            let four = found.file.read(found.offset, 4).map_err(words)?;
            transport::send(&four, &found.file, 5).map_err(words)
        },
        "skip to the end of time" => |found, _| transport::skip(&found.file, u64::MAX).map_err(words),
        "claim nothing" => |found, _| transport::skip(&found.file, 0).map_err(words),
        "read beyond what was read" => |found, _| found.file.read(found.offset + 1, 1).map(drop).map_err(words),
        "read from the end of time" => |found, _| found.file.read(u64::MAX, u32::MAX).map(drop).map_err(words),
        "send from a file of before" => |found, old| {
            found.file.read(found.offset, 4).map_err(words)?;
            let Ok(Successor::Next(again)) = log_source::resume() else { return Ok(()) };
            old.push(again.file);
            let Ok(Successor::Next(_newest)) = log_source::resume() else { return Ok(()) };
            transport::send(&Chunk::new(b"lies"), &found.file, 4).map_err(words)
        },
        "send from the file that was left" => |found, _| {
            while found.file.read(size(found), 1 << 18).map_err(words)?.len() > 0 {}
            let Ok(Successor::Next(_next)) = log_source::after(&found.file) else { return Err("no next".into()) };
            transport::send(&Chunk::new(b"lies"), &found.file, 1).map_err(words)
        },
        _ => return None,
    };
    Some(match log_source::resume() {
        Ok(Successor::Next(found)) => lie(&found, old),
        // Not there yet, or nothing to lie about.
        _ => Err("there is no log".into()),
    })
}

/// Reads all, and returns how much that is.
fn size(found: &Found) -> u64 {
    let mut offset = found.offset;
    while let Ok(chunk) = found.file.read(offset, 1 << 18) {
        if chunk.len() == 0 {
            break;
        }
        offset += u64::from(chunk.len());
    }
    offset
}

fn words(error: impl std::fmt::Debug) -> String {
    format!("{error:?}")
}
