//! The policies that take part in a run: compiled once, for all runs.

use std::path::Path;
use std::sync::Arc;

use crate::policy::set::{Origin, PolicySet};
use crate::policy::{Admission, Component, Engine, Kind, PolicyError, ReceiverPolicy, StreamerPolicy};
use crate::site::core::Core;

/// Compiled policies.
pub(super) struct Policies {
    /// The streamer, and the same one under another digest, for swaps.
    streamers: Vec<StreamerPolicy<Core>>,
    receivers: Arc<PolicySet<ReceiverPolicy>>,
}

impl Policies {
    /// The built-in ones.
    pub fn embedded() -> Result<Self, PolicyError> {
        let engine = Engine::repeatable().map_err(|reason| PolicyError::Read { file: "the engine".into(), reason })?;
        let bytes = Component::embedded_bytes(Kind::Streamer);
        // A custom section changes the digest and nothing else.
        let other = [bytes, &[0, 3, 1, b'v', 1]].concat();
        let link = |bytes: &[u8]| {
            let component = Component::new(&engine, bytes, Path::new("built-in streamer"), Kind::Streamer)?;
            StreamerPolicy::link(&engine, &component)
        };
        let streamers = vec![link(bytes)?, link(&other)?];
        let receivers = PolicySet::load(Origin::BuiltIn, Admission::new(engine.clone(), None), Arc::new(|_| {}))?;
        Ok(Self { streamers, receivers })
    }

    /// The streamer after so many swaps.
    pub fn streamer(&self, swaps: usize) -> Option<StreamerPolicy<Core>> {
        self.streamers.get(swaps % self.streamers.len().max(1)).cloned()
    }

    pub fn receivers(&self) -> &Arc<PolicySet<ReceiverPolicy>> {
        &self.receivers
    }
}
