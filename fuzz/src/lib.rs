//! The parts of the host that read what others wrote: the very files of `host/src`, compiled here without the rest of the
//! host, so that a target builds in seconds and runs with sanitizers.
//!
//! What a target shows of them is in `docs/fuzzing.md`.
#![allow(dead_code, missing_docs, unused_imports, reason = "each target uses a part of what the host has")]

#[path = "../../host/src/broken.rs"]
mod broken;

#[path = "../../host/src/names.rs"]
pub mod names;

#[path = "../../host/src/source/siblings.rs"]
mod siblings;

#[path = "../../host/src/store/mod.rs"]
pub mod store;

pub mod rotated;

pub mod wire;
