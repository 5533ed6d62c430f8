//! Taking more than is given.

use fedtail_policy_sdk::component::bindings::streamer::fedtail::policy::{
    chunks::Chunk, diagnostics, log_source, transport,
};

/// What was asked for, if it is known here.
pub fn step(does: &str, hoard: &mut Vec<Vec<u8>>) -> Option<Result<(), String>> {
    match does {
        "eat memory" => loop {
            hoard.push(vec![1; 1 << 20]);
        },
        "leak handles" => {
            let mut kept = Vec::new();
            loop {
                kept.push(Chunk::new(b"x"));
            }
        }
        "pin bytes" => {
            let mut kept = Vec::new();
            loop {
                // The slice is a byte, and pins all of the chunk.
                kept.push(Chunk::new(&vec![0; 256 << 10]).slice(0, 1));
            }
        }
        "a chunk that is too large" => drop(Chunk::new(&vec![0; (256 << 10) + 1])),
        "a list that is too large" => drop(Chunk::new(&vec![0; 8 << 20])),
        "a message that is too large" => diagnostics::say(diagnostics::Level::Error, &"x".repeat(8 << 20)),
        "too many messages" => loop {
            diagnostics::say(diagnostics::Level::Debug, "\n\u{1b}]0;you\u{7}");
        },
        "a million tiny sends" => {
            let Ok(log_source::Successor::Next(found)) = log_source::resume() else { return Some(Ok(())) };
            let mut offset = found.offset;
            for _ in 0..1_000_000 {
                match found.file.read(offset, 1) {
                    Ok(byte) if byte.len() == 1 => {
                        if transport::send(&byte, &found.file, offset + 1).is_ok() {
                            offset += 1;
                        }
                    }
                    _ => {}
                }
            }
        }
        "a range that is too large" => {
            let chunk = Chunk::new(&vec![b'x'; 256 << 10]);
            for _ in 0..17 {
                if let Err(error) = transport::send_part(&chunk) {
                    return Some(Err(format!("{error:?}")));
                }
            }
        }
        "too many gaps" => {
            use fedtail_policy_sdk::component::bindings::streamer::fedtail::policy::gaps::{Gap, GapReason};
            for _ in 0..5_000 {
                let gap = Gap { lost: Some(u64::MAX), reason: GapReason::Other("x".repeat(10_000)) };
                if let Err(error) = transport::report_gap(&gap) {
                    return Some(Err(format!("{error:?}")));
                }
            }
        }
        "read ahead without end" => {
            let Ok(log_source::Successor::Next(found)) = log_source::resume() else { return Some(Ok(())) };
            let mut offset = 0;
            loop {
                match found.file.read(offset, u32::MAX) {
                    Ok(chunk) if chunk.len() == 0 => return Some(Err("it read to the end".into())),
                    Ok(chunk) => offset += u64::from(chunk.len()),
                    Err(error) => return Some(Err(format!("{error:?}"))),
                }
            }
        }
        "a slice out of range" => drop(Chunk::new(b"abc").slice(2, 4)),
        "a slice that is turned round" => drop(Chunk::new(b"abc").slice(2, 1)),
        _ => return None,
    }
    Some(Ok(()))
}
