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
        let name = format!("built-in {kind}");
        Self::new(engine, Self::embedded_bytes(kind), Path::new(&name), kind)
    }

    /// The bytes of that component.
    pub fn embedded_bytes(kind: Kind) -> &'static [u8] {
        match kind {
            Kind::Streamer => STREAMER,
            Kind::Receiver => RECEIVER,
        }
    }
}
