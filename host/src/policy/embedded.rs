//! The default policies, built into the program.

use std::path::Path;

use super::component::{Component, Kind};
use super::engine::Engine;
use super::error::PolicyError;

static STREAMER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/streamer.wasm"));
static RECEIVER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/receiver.wasm"));

impl Component {
    /// The default policy of this kind: it sends, or takes, everything.
    pub fn embedded(engine: &Engine, kind: Kind) -> Result<Self, PolicyError> {
        match kind {
            Kind::Streamer => Self::new(engine, STREAMER, Path::new("built-in streamer"), kind),
            Kind::Receiver => Self::new(engine, RECEIVER, Path::new("built-in receiver"), kind),
        }
    }
}
