//! Policies: the sandboxed components that decide what is sent and what is accepted.
//!
//! The stages of a policy's life are types. An [`Engine`] is made once in a process. [`Component`] is bytes that were
//! read, digested, compiled and checked against the contract; [`StreamerPolicy`] and [`ReceiverPolicy`] are components
//! whose imports are linked. From these comes one [`StreamerInstance`] or [`ReceiverInstance`] per stream, each in a
//! store of its own with every limit of [`limits`] on. A trap ends an instance and nothing else.

mod admission;
mod bindings;
mod cache;
mod chunk;
mod component;
mod embedded;
mod engine;
mod error;
pub(crate) mod guest;
mod inspection;
pub mod limits;
mod machine;
mod promise;
mod receiver;
pub mod set;
mod streamer;
#[cfg(test)]
pub(crate) mod testing;
pub mod trust;
mod wasi;

pub use admission::{Admission, Admitted, Applicant, Battery, Custom, Linked};
pub(crate) use component::hex;
pub use component::{Component, Digest, Kind};
pub use engine::Engine;
pub use error::{Fault, PolicyError};
pub use guest::Time;
pub use inspection::{Inspection, Interface};
pub use promise::Promise;
pub use receiver::{
    Caller, Disposition, Others, ReceiverInstance, ReceiverNext, ReceiverPolicy, ReceiverWake, Refusal, Terms, Totals,
    Verdict,
};
pub use streamer::{
    Next, ParkedInstance, Progress, SendError, Settings, Source, SourceFault, StreamerHost, StreamerInstance,
    StreamerPolicy, Successor, Wake,
};
