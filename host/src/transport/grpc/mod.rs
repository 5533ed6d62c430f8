//! gRPC over TLS: what federated-learning sites already let through their firewalls.
//!
//! One HTTP/2 stream per connection carries all logs of a site, each with a credit of its own, so that one which is
//! not read does not keep the others waiting.

mod client;
mod failure;
mod gate;
mod operator;
mod probe;
mod reading;
mod server;
#[cfg(test)]
mod tests;

pub use client::{GrpcTransport, UrlError};
pub use operator::{Answers, Operator, OperatorError};
pub use server::{Listening, ServeError, ServeOptions, serve};

/// HTTP/2's windows for one stream and for a connection. The credits of the logs bound what is on its way; these are
/// larger, so that they don't: HTTP/2's default of 64 KiB would starve a stream.
const STREAM_WINDOW: u32 = 32 << 20;
/// See [`STREAM_WINDOW`].
const CONNECTION_WINDOW: u32 = 48 << 20;

/// The largest HTTP/2 frame: a whole chunk, instead of sixteen frames of the default size.
const HTTP2_FRAME: u32 = 512 << 10;

/// The largest message that is taken: a chunk and its frame.
const MESSAGE: usize = 1 << 20;

/// How often a server makes sure that a silent peer is there, and how long it waits for the answer.
const KEEPALIVE: std::time::Duration = std::time::Duration::from_secs(20);
