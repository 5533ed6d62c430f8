//! Payloads, compressed when the link is what limits.

use std::cell::RefCell;

use bytes::Bytes;

use super::{Data, Encoding};

/// Shorter payloads are not worth a frame header of zstd and a context switch of the compressor.
const SHORTEST: usize = 512;

/// zstd's fastest ordinary level: logs shrink to a tenth with it, at several hundred MB/s.
const LEVEL: i32 = 1;

/// What a thread compresses with. A context takes about a megabyte and some time to make, so each thread keeps one.
struct Compressor {
    context: zstd::bulk::Compressor<'static>,
    /// Where the result is made: it is a tenth of the room that it may need.
    room: Vec<u8>,
}

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor>> = const { RefCell::new(None) };
}

/// Compresses a frame's payload if that makes it clearly smaller; else leaves it as it is.
pub fn compress(data: &mut Data) {
    if data.encoding() != Encoding::Plain || data.payload.len() < SHORTEST {
        return;
    }
    let smaller = COMPRESSOR.with_borrow_mut(|compressor| {
        if compressor.is_none() {
            let context = zstd::bulk::Compressor::new(LEVEL).ok();
            *compressor = context.map(|context| Compressor { context, room: Vec::new() });
        }
        let Compressor { context, room } = compressor.as_mut()?;
        // Nine tenths of the payload: what does not shrink below that is sent as it is, and cheaper to read.
        let most = data.payload.len() / 10 * 9;
        if room.len() < most {
            room.resize(most, 0);
        }
        let length = context.compress_to_buffer(&data.payload, &mut room[..most]).ok()?;
        Some(Bytes::copy_from_slice(&room[..length]))
    });
    if let Some(smaller) = smaller {
        data.payload = smaller;
        data.set_encoding(Encoding::Zstd);
    }
}

/// The payload as it was, or what is wrong with the frame. At most `limit` bytes, whatever the frame says.
pub fn expand(data: &Data, limit: u32) -> Result<Bytes, String> {
    if data.length > limit {
        return Err(format!("a frame of {} bytes, and at most {limit} are taken", data.length));
    }
    let length = data.length as usize;
    let bytes = match Encoding::try_from(data.encoding) {
        Ok(Encoding::Plain) => data.payload.clone(),
        Ok(Encoding::Zstd) => zstd::bulk::decompress(&data.payload, length)
            .map_err(|e| format!("a frame whose compressed payload is damaged: {e}"))?
            .into(),
        Err(_) => return Err(format!("a frame in an unknown encoding ({})", data.encoding)),
    };
    if bytes.len() != length {
        return Err(format!("a frame that says {length} bytes and has {}", bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(payload: Vec<u8>) -> Data {
        Data { length: u32::try_from(payload.len()).unwrap(), payload: payload.into(), ..Data::default() }
    }

    #[test]
    fn a_compressed_payload_comes_back_as_it_was() {
        let text = b"2026-11-24 03:31:44 - INFO - round 1\n".repeat(1000);
        let mut frame = data(text.clone());
        compress(&mut frame);
        assert_eq!(frame.encoding(), Encoding::Zstd);
        assert!(frame.payload.len() < text.len() / 10);
        assert_eq!(expand(&frame, 1 << 20).unwrap(), text);
    }

    #[test]
    fn what_does_not_shrink_is_sent_as_it_is() {
        let mut random = vec![0; 4096];
        getrandom::fill(&mut random).unwrap();
        let mut frame = data(random);
        compress(&mut frame);
        assert_eq!(frame.encoding(), Encoding::Plain);
    }

    #[test]
    fn a_frame_that_would_expand_beyond_what_it_says_is_refused() {
        let mut frame = data(vec![0; 100_000]);
        compress(&mut frame);
        frame.length = 10;
        assert!(expand(&frame, 1 << 20).unwrap_err().contains("damaged"));
        frame.length = 2 << 20;
        assert!(expand(&frame, 1 << 20).unwrap_err().contains("at most"));
        frame.encoding = 9;
        frame.length = 10;
        assert!(expand(&frame, 1 << 20).unwrap_err().contains("unknown encoding"));
    }
}
