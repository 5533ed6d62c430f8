//! The default streamer policy: it lets a job's log leave the site as it is, as soon as it is written.
//!
//! What it does, in the order of a stream's life:
//! - It waits for the log to appear and goes on from where the server's store stands, which the host knows.
//! - It sends what is there while the window takes bytes, then waits for the file to grow.
//! - A rotated file is sent to its end before the next one is entered; what was lost between them is reported first.
//! - When the job stops it sends the rest, looks once more a poll interval later for lines that were written during the
//!   shutdown, and finishes. As a snapshot (`once`) it finishes as soon as it has sent what was there.
//! - A source that can't be read is said in words and tried again. At the end of the stream there is nothing left to wait
//!   for, so after a few tries it is reported as a gap and the stream ends, incomplete and with the reason.
//!
//! The decisions are in [`streamer`], in plain Rust over the [`host`] trait: the unit tests drive them with a model of a
//! site, a program can run them without WebAssembly, and a thin shell around them makes the component.

#![deny(missing_docs, unsafe_code)]

pub mod host;
pub mod streamer;

#[cfg(test)]
mod model;
#[cfg(all(target_arch = "wasm32", not(test)))]
mod shell;
