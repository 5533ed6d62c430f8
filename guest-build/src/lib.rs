//! How a guest crate becomes a WebAssembly component.
//!
//! The host's build script, the program's `policy build`, the tests and `cargo xtask setup` all need a part of this, so it stands here once:
//!
//! - [`Toolchain`]: a compiler that can build for `wasm32-unknown-unknown`, searched for on this machine and recorded in
//!   the workspace, so that every build takes the same one;
//! - [`Compiler`]: one compiler of this machine, and what of that it has;
//! - `GuestBuild` (feature `component`, on by default): builds a guest crate of the workspace with such a toolchain,
//!   and makes a component of it;
//! - `Project` (the same feature): the same for a policy's crate that stands by itself.
//!
//! From a build script, once a toolchain is there:
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let guests = guest_build::GuestBuild::from_build_script()?;
//! let guest = guests.build("fedtail-guest-streamer")?;
//! for file in guest.inputs() {
//!     println!("cargo::rerun-if-changed={}", file.display());
//! }
//! std::fs::write("streamer.wasm", guest.component())?;
//! # Ok(())
//! # }
//! ```
#![deny(missing_docs)]

#[cfg(feature = "component")]
mod cargo;
mod compiler;
#[cfg(feature = "component")]
mod guest;
#[cfg(feature = "component")]
mod project;
mod record;
#[cfg(feature = "component")]
mod surroundings;
mod toolchain;

pub use compiler::{Compiler, StandardLibrary, linkers};
#[cfg(feature = "component")]
pub use guest::{Guest, GuestBuild};
#[cfg(feature = "component")]
pub use project::{Built, Project};
pub use record::RECORD;
pub use toolchain::{Kind, NoToolchain, Toolchain};

/// The target that guests are built for: WebAssembly with no system interface at all, so a guest can import only what
/// its contract names.
pub const TARGET: &str = "wasm32-unknown-unknown";
