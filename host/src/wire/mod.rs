//! What a site and a server say to each other: the generated messages of `proto/wire.proto`, and the rules that the
//! messages alone don't show.

pub mod compression;

#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated; the manual is proto/wire.proto")]
mod generated {
    tonic::include_proto!("fedtail.wire");
}
pub use generated::*;

/// The version of the wire format that this build speaks. Both sides refuse one that they don't know, in words.
pub const VERSION: u32 = 1;

/// How this build names itself to the other side.
pub const SOFTWARE: &str = concat!("fedtail ", env!("CARGO_PKG_VERSION"));
