//! What goes wrong with a policy, by the stage where it did.

use std::path::PathBuf;

/// Why a component was not taken as a policy. Each variant is a stage; each message names the file.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file can't be read.
    #[error("the policy {file} cannot be read: {reason}")]
    Read {
        /// Which file.
        file: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// `policies.toml` can't be used.
    #[error("the policies in {file} cannot be used: {reason}")]
    Rules {
        /// Which file.
        file: PathBuf,
        /// Where in it, why, and what to do.
        reason: String,
    },
    /// No rule of `policies.toml` is for the log.
    #[error(
        "no policy in {file} is for {log}: add one whose patterns match it, or a last one without patterns for all others"
    )]
    NoRule {
        /// Which file.
        file: PathBuf,
        /// Job, log, and at a server the site.
        log: String,
    },
    /// The component has another digest than it is pinned to.
    #[error("the policy {file} is not the one that is pinned: {reason}")]
    Pin {
        /// Which file.
        file: PathBuf,
        /// Both digests, and what to do.
        reason: String,
    },
    /// The component is not signed as it has to be.
    #[error("the policy {file} is not trusted: {reason}")]
    Signature {
        /// Which file.
        file: PathBuf,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// The bytes are no component.
    #[error("the policy {file} is not a WebAssembly component: {reason}")]
    Decode {
        /// Which file.
        file: PathBuf,
        /// What it is instead, and what to do.
        reason: String,
    },
    /// The component is valid, and does not fit the contract.
    #[error("the policy {file} does not fit the contract fedtail:policy@{version}: {reason}", version = super::component::CONTRACT)]
    World {
        /// Which file.
        file: PathBuf,
        /// What is missing or too much, and what to do.
        reason: String,
    },
    /// The component could not be linked with the host.
    #[error("the policy {file} cannot be linked: {reason}")]
    Link {
        /// Which file.
        file: PathBuf,
        /// Why.
        reason: String,
    },
    /// The component failed when it was tried before it was let in.
    #[error("the policy {file} failed in the simulation: {reason}")]
    Simulation {
        /// Which file.
        file: PathBuf,
        /// What it did, under which circumstances, and what to do.
        reason: String,
    },
}

/// How an instance failed. It is discarded; the stream goes on with a fresh one from the server's position.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The policy returned an error, in its own words.
    #[error("the policy gave up: {0}")]
    Gave(String),
    /// The policy trapped, or went over a limit.
    #[error("the policy was stopped: {0}")]
    Trapped(String),
    /// The host could not make an instance.
    #[error("the policy could not be instantiated: {0}")]
    Instantiate(String),
}

impl Fault {
    /// A trap in one line for a person: the root cause without wasmtime's backtrace.
    pub(super) fn trap(error: &wasmtime::Error) -> Self {
        let words = match error.downcast_ref::<wasmtime::Trap>() {
            Some(wasmtime::Trap::Interrupt) => "a step took longer than it may".into(),
            Some(wasmtime::Trap::OutOfFuel) => "a step took more instructions than it may".into(),
            Some(trap) => trap.to_string(),
            None => error.root_cause().to_string(),
        };
        Fault::Trapped(words)
    }
}
