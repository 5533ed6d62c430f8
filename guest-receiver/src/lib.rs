//! The default receiver policy: it stores what a site sends, as it is.
//!
//! What it does, in the order of a stream's life:
//! - It accepts a stream whose site will be heard often enough, and refuses any other with the two times in words.
//! - It appends every piece of the log.
//! - It closes a stream that was silent for the idle timeout, also one that never sent a byte.
//! - A log that came to its end is kept, with or without gaps; of any other the part that came stays where it is.
//!
//! The decisions are in [`receiver`], in plain Rust over the [`host`] trait: the unit tests drive them with a script, a
//! program can run them without WebAssembly, and a thin shell around them makes the component.

#![deny(missing_docs, unsafe_code)]

mod duration;
pub mod host;
pub mod receiver;

#[cfg(all(target_arch = "wasm32", not(test)))]
mod shell;
