//! What a streamer policy is, in plain Rust.

use crate::host::Host;
use crate::streamer::{Next, Settings, Streamer, Wake};

/// A streamer policy over any host: the component's imports at a site, or a model in a test. One value serves one stream.
pub trait Policy<H: Host>: Sized {
    /// A policy before its first step; an error says in words which setting is wrong, and ends the stream.
    fn start(host: H, settings: Settings) -> Result<Self, String>;

    /// Does what can be done now and returns what it waits for. After an error, in words, the host starts a fresh policy
    /// that goes on from what the server has.
    fn step(&mut self, wake: Wake) -> Result<Next, String>;
}

/// The default policy: everything leaves as it is.
pub struct Everything<H: Host> {
    host: H,
    streamer: Streamer<H>,
}

impl<H: Host> Policy<H> for Everything<H> {
    fn start(host: H, settings: Settings) -> Result<Self, String> {
        Ok(Self { host, streamer: Streamer::start(settings)? })
    }

    fn step(&mut self, wake: Wake) -> Result<Next, String> {
        self.streamer.step(&mut self.host, wake)
    }
}
