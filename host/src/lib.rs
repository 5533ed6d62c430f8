//! Live job-log streaming for federated learning, decided by WebAssembly policies that each site owns.

pub mod names;
pub mod store;
pub mod source;
pub mod wire;
