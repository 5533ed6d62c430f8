//! Live job-log streaming for federated learning, decided by WebAssembly policies that each site owns.
//!
//! A runtime embeds one side or both: at a site [`site::Site`] streams the logs of jobs, at the server
//! [`server::Server`] takes and stores them. What leaves a site, and what a server takes, is decided by a
//! [`policy`]: a sandboxed component, built in or the site's own. How frames travel is a
//! [`transport`]: gRPC over TLS, in process, or the runtime's own channel.
//!
//! Both sides in one process:
//!
//! ```
//! use std::time::Duration;
//!
//! use fedtail::names::{JobName, SiteName};
//! use fedtail::server::Server;
//! use fedtail::site::{Ending, LogFile, Site};
//! use fedtail::transport::InProcess;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let (store, log) = (directory.path().join("store"), directory.path().join("log.txt"));
//! # tokio::runtime::Runtime::new()?.block_on(async move {
//! let server = Server::builder(&store).on_ended(|ended| println!("{ended}")).start()?;
//! let site = Site::builder(InProcess::new(&server, SiteName::new("site-1")?)).start()?;
//!
//! let stream = site.stream(LogFile::new(&log, JobName::new("job-1")?))?;
//! std::fs::write(&log, "round 1 begins\n")?; // the log may appear late
//! stream.request_stop(); // returns at once; what is written now still counts
//! std::fs::OpenOptions::new().append(true).open(&log).and_then(|mut log| {
//!     use std::io::Write;
//!     log.write_all(b"the last words of the teardown\n")
//! })?;
//! let outcome = stream.finish(Duration::from_secs(60)).await;
//!
//! assert_eq!(outcome.ending, Ending::Complete, "{outcome}");
//! let stored = std::fs::read_to_string(store.join("job-1/site-1/log.txt"))?;
//! assert_eq!(stored, "round 1 begins\nthe last words of the teardown\n");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```

#![deny(missing_docs)]
#![deny(unsafe_code)]

pub mod audit;
mod broken;
pub mod clock;
pub mod identity;
pub mod names;
pub mod policy;
pub mod reading;
mod runtime;
pub mod server;
pub mod simulation;
pub mod site;
mod slice;
pub mod source;
pub mod store;
pub mod transport;
mod turn;
pub mod wire;

pub use runtime::runtime;
