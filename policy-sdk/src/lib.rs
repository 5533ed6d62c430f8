//! What a fedtail policy is written with.
//!
//! Most policies at a site change or drop lines before they leave. Such a policy is one function over lines:
//!
//! ```
//! use fedtail_policy_sdk::{Custom, Lines};
//!
//! /// Lets no line out that has a word in it.
//! struct Without {
//!     word: Vec<u8>,
//! }
//!
//! impl Lines for Without {
//!     fn start(custom: &mut Custom) -> Result<Self, String> {
//!         let word = custom.take("word").ok_or("set `word` to the word that no line with it leaves the site for")?;
//!         Ok(Self { word: word.into() })
//!     }
//!
//!     fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
//!         if !line.windows(self.word.len()).any(|part| part == self.word) {
//!             out.extend_from_slice(line);
//!         }
//!     }
//! }
//!
//! fedtail_policy_sdk::streamer!(Without);
//!
//! let sent = fedtail_policy_sdk::testing::filter::<Without>(&[("word", "secret")], "a\nthe secret\nb\n");
//! assert_eq!(sent.unwrap(), "a\nb\n");
//! ```
//!
//! All else is done here: waiting for the log, rotation, truncation, gaps, the window, reconnects, the end of the job,
//! positions. [`mod@streamer`] has that as a state machine; the default policy is it and nothing more.
//!
//! - [`Lines`]: change or drop lines. [`streamer!`](crate::streamer!) exports one.
//! - [`Policy`]: anything else at a site, over [`host::Host`]; `streamer!(step ...)` exports one.
//! - [`receiver::Gate`]: at the server, take or refuse streams and bytes. [`receiver!`](crate::receiver!) exports one.
//! - `component::bindings` (in a WebAssembly build): the contract itself, for what is not served by these.
//!
//! A policy is plain Rust and is tested natively with `cargo test`; only the macros make something else of it, and only
//! in a build for WebAssembly.

#![deny(missing_docs, unsafe_code)]

#[cfg(all(target_arch = "wasm32", not(test)))]
pub mod component;
mod custom;
mod export;
pub mod filter;
pub mod host;
mod lines;
#[cfg(test)]
mod model;
mod policy;
pub mod receiver;
pub mod streamer;
pub mod testing;

pub use custom::Custom;
pub use lines::{Boundary, Lines};
pub use policy::{Everything, Policy};
