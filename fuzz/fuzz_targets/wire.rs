//! Frames as a stranger may send them: both sides decode any bytes without a panic, an overflow, or more memory than a
//! frame is allowed; what is decoded is encoded and decoded to the same; and a payload is what it says or an error.
#![no_main]

use fedtail_fuzz::wire::compression::{compress, expand};
use fedtail_fuzz::wire::{Data, Encoding, ServerFrame, SiteFrame, TailChunk, TailRequest, site_frame};
use libfuzzer_sys::fuzz_target;
use prost::Message;

/// As large as the frames that a fuzzer makes in no time; the host's own limit is another number of the same kind.
const LIMIT: u32 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    again::<ServerFrame>(bytes);
    again::<TailRequest>(bytes);
    again::<TailChunk>(bytes);
    if let Some(SiteFrame { frame: Some(site_frame::Frame::Data(data)) }) = again::<SiteFrame>(bytes) {
        payload(&data);
    }
    // The same bytes as a payload: what a site compresses, the server has.
    let mut data = Data { length: bytes.len() as u32, payload: bytes.to_vec().into(), ..Data::default() };
    compress(&mut data);
    assert_eq!(expand(&data, LIMIT).expect("a frame of ours"), bytes);
    // And as a compressed one that says any length.
    let length = u32::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default());
    payload(&Data { payload: bytes.to_vec().into(), length, encoding: Encoding::Zstd as i32, ..Data::default() });
});

fn payload(data: &Data) {
    match expand(data, LIMIT) {
        Ok(payload) => assert!(payload.len() == data.length as usize && payload.len() <= LIMIT as usize),
        Err(words) => assert!(!words.is_empty()),
    }
}

fn again<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Option<M> {
    let message = M::decode(bytes).ok()?;
    assert_eq!(M::decode(&*message.encode_to_vec()).expect("what was encoded is decoded"), message);
    Some(message)
}
