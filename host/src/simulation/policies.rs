//! The policies that take part in a run: compiled once, for all runs.

use std::sync::Arc;

use super::witness::Witness;
use crate::policy::set::{Assigned, PolicyEvent, PolicySet};
use crate::policy::{Admission, Component, Custom, Engine, Kind, PolicyError, Promise, ReceiverPolicy, StreamerPolicy};
use crate::site::core::Core;

/// Linked policies, of which one may be tried.
pub(super) struct Policies {
    engine: Engine,
    /// The streamer, and the same one under another digest, for swaps.
    streamers: [StreamerPolicy<Core>; 2],
    streamer_settings: Custom,
    receiver: ReceiverPolicy,
    receiver_settings: Custom,
    /// Which of them is tried; none: both are built in, and held to everything.
    tried: Option<Kind>,
}

impl Policies {
    /// The built-in ones.
    pub fn embedded() -> Result<Self, PolicyError> {
        let engine =
            Engine::repeatable(None).map_err(|reason| PolicyError::Read { file: "the engine".into(), reason })?;
        let streamer = Component::embedded(&engine, Kind::Streamer)?;
        let receiver = Component::embedded(&engine, Kind::Receiver)?;
        Ok(Self {
            streamers: streamers(&engine, &streamer)?,
            streamer_settings: [].into(),
            receiver: ReceiverPolicy::link(&engine, &receiver)?,
            receiver_settings: [].into(),
            tried: None,
            engine,
        })
    }

    /// This one, with its settings, and the built-in one at the other side.
    pub fn trying(engine: &Engine, component: &Component, kind: Kind, custom: Custom) -> Result<Self, PolicyError> {
        let none: Custom = [].into();
        let other = match kind {
            Kind::Streamer => Kind::Receiver,
            Kind::Receiver => Kind::Streamer,
        };
        let beside = Component::embedded(engine, other)?;
        let ((streamer, streamer_settings), (receiver, receiver_settings)) = match kind {
            Kind::Streamer => ((component, custom), (&beside, none)),
            Kind::Receiver => ((&beside, none), (component, custom)),
        };
        Ok(Self {
            streamers: streamers(engine, streamer)?,
            streamer_settings,
            receiver: ReceiverPolicy::link(engine, receiver)?,
            receiver_settings,
            tried: Some(kind),
            engine: engine.clone(),
        })
    }

    /// Which side's policy is tried.
    pub fn tried(&self) -> Option<Kind> {
        self.tried
    }

    /// What a policy is held to that says of itself that it has a state; none where it does not.
    pub fn promise_by_state(&self) -> Option<Promise> {
        (self.tried == Some(Kind::Streamer) && self.streamers[0].has_state()).then_some(Promise::Other)
    }

    /// The streamer after so many swaps.
    pub fn streamer(&self, swaps: usize) -> Assigned<StreamerPolicy<Core>> {
        Assigned::alone(self.streamers[swaps % self.streamers.len()].clone(), self.streamer_settings.clone())
    }

    /// A server's set of policies; the witness hears of a policy that fails.
    pub fn receivers(&self, witness: &Witness) -> Arc<PolicySet<ReceiverPolicy>> {
        let witness = witness.clone();
        let told = move |event: &PolicyEvent| {
            if let PolicyEvent::Closed { reason, .. } = event {
                witness.saw(reason);
            }
        };
        // One failure is as bad as many here.
        let mut assigned = Assigned::alone(self.receiver.clone(), self.receiver_settings.clone());
        assigned.strikes = 1;
        PolicySet::alone(assigned, Admission::new(self.engine.clone(), None), Arc::new(told))
    }
}

fn streamers(engine: &Engine, component: &Component) -> Result<[StreamerPolicy<Core>; 2], PolicyError> {
    let other = component.clone().known_as(crate::policy::Digest::of(component.digest().as_bytes()));
    Ok([StreamerPolicy::link(engine, component)?, StreamerPolicy::link(engine, &other)?])
}
