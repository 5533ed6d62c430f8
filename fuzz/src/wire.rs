//! The messages, and how their payloads are compressed.

#[path = "../../host/src/wire/compression.rs"]
pub mod compression;

include!(concat!(env!("OUT_DIR"), "/fedtail.wire.rs"));
