//! The way of a component from its file to a policy that streams can use, stage by stage.
//!
//! In order: it is read; its digest is compared with the pins; its signature is checked; it is compiled, or found in the
//! cache; it is compared with the contract; it is linked; it is tried in the simulation, where one is set. Nothing is
//! compiled that was not trusted before. Each stage fails with an error of its own, which names the file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::component::{Component, Digest, Kind};
use super::engine::Engine;
use super::error::PolicyError;
use super::promise::Promise;
use super::receiver::ReceiverPolicy;
use super::streamer::{StreamerHost, StreamerPolicy};
use super::trust::{PublicKey, Trust};

/// A component that can be linked to a host of its kind.
pub trait Linked: Clone + Send + Sync + 'static {
    /// What it is for.
    const KIND: Kind;

    /// Links its imports.
    fn linked(engine: &Engine, component: &Component) -> Result<Self, PolicyError>;

    /// The digest of the component.
    fn digest(&self) -> Digest;
}

impl<H: StreamerHost> Linked for StreamerPolicy<H> {
    const KIND: Kind = Kind::Streamer;

    fn linked(engine: &Engine, component: &Component) -> Result<Self, PolicyError> {
        Self::link(engine, component)
    }

    fn digest(&self) -> Digest {
        self.digest()
    }
}

impl Linked for ReceiverPolicy {
    const KIND: Kind = Kind::Receiver;

    fn linked(engine: &Engine, component: &Component) -> Result<Self, PolicyError> {
        Self::link(engine, component)
    }

    fn digest(&self) -> Digest {
        self.digest()
    }
}

/// A policy's settings: keys and values, as they are handed to it.
pub type Custom = Arc<[(String, String)]>;

/// What a component is tried with before streams use it, for example a simulation. Has a time limit of its own.
pub trait Battery: Send + Sync + 'static {
    /// Runs the applicant's component, which was compiled by this engine, with its settings; an error says in words what
    /// it did wrong, under which circumstances, and what to do. Called from a thread that may wait.
    fn run(&self, engine: &Engine, component: &Component, kind: Kind, applicant: &Applicant) -> Result<(), String>;
}

/// What is asked to be admitted.
#[derive(Debug, Clone)]
pub struct Applicant {
    /// The component's file.
    pub file: PathBuf,
    /// The digests that it may have; any, where there is none.
    pub pins: Vec<Digest>,
    /// What the site has set for it.
    pub custom: Custom,
    /// What it is held to where it is tried; by default what it seems to be.
    pub promise: Option<Promise>,
}

/// A policy that was admitted.
#[derive(Clone)]
pub struct Admitted<P> {
    /// Ready for streams.
    pub policy: P,
    /// The trusted key that it was signed with, where keys are configured.
    pub signed_by: Option<PublicKey>,
}

/// Admits components to one engine.
pub struct Admission {
    engine: Engine,
    battery: Option<Arc<dyn Battery>>,
}

impl Admission {
    /// Admits to this engine. Without a battery the last stage is passed over.
    pub fn new(engine: Engine, battery: Option<Arc<dyn Battery>>) -> Self {
        Self { engine, battery }
    }

    /// Takes a component through all stages. `known` are policies that are in use: what has passed the stages of the
    /// component itself before does not pass them again.
    pub fn admit<P: Linked>(
        &self,
        applicant: &Applicant,
        trust: &Trust,
        known: impl Fn(Digest, &[(String, String)]) -> Option<P>,
    ) -> Result<Admitted<P>, PolicyError> {
        let file = &applicant.file;
        let bytes = Component::read_bytes(file)?;
        let digest = Digest::of(&bytes);
        check_pins(file, digest, &applicant.pins)?;
        let signed_by = trust.check(file, &bytes)?;
        if let Some(policy) = known(digest, &applicant.custom) {
            return Ok(Admitted { policy, signed_by });
        }
        let component = Component::new(&self.engine, &bytes, file, P::KIND)?;
        let policy = P::linked(&self.engine, &component)?;
        if let Some(battery) = &self.battery {
            battery
                .run(&self.engine, &component, P::KIND, applicant)
                .map_err(|reason| PolicyError::Simulation { file: file.clone(), reason })?;
        }
        Ok(Admitted { policy, signed_by })
    }

    /// The policy that is built in.
    pub fn embedded<P: Linked>(&self) -> Result<P, PolicyError> {
        P::linked(&self.engine, &Component::embedded(&self.engine, P::KIND)?)
    }
}

fn check_pins(file: &Path, digest: Digest, pins: &[Digest]) -> Result<(), PolicyError> {
    if pins.is_empty() || pins.contains(&digest) {
        return Ok(());
    }
    let pins: Vec<_> = pins.iter().map(Digest::to_string).collect();
    let reason = format!(
        "its digest is {digest}, and it is pinned to {}; restore the file that was pinned, or pin this one if you trust it",
        pins.join(" or ")
    );
    Err(PolicyError::Pin { file: file.into(), reason })
}
