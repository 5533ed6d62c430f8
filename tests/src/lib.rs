//! What the end-to-end tests in `tests/live` and `tests/faults` run on: the program as it was built, its processes, the files of a
//! project's identities, a relay that can fail, and a client that says what no site would say.
//!
//! Everything is waited for by what can be seen from outside (a line of output, the content of a file, the end of a
//! process), and each wait is bounded by [`PATIENCE`]; one that is over shows what the process had said.

#![deny(missing_docs)]
#![deny(unsafe_code)]

mod address;
mod files;
mod job;
pub mod oracle;
mod process;
mod program;
mod project;
mod raw;
mod relay;
mod seed;
mod server;
mod site;
mod tmpfs;

use std::time::Duration;

pub use address::unused_address;
pub use files::{Place, append, contents, eventually_holds, listing};
pub use job::{Job, line, lines};
pub use process::{Exit, Process, Signal};
pub use program::{fedtail, fedtail_with_file_limit, limit_descriptors, raise_file_limit};
pub use project::{Kit, Project, foreign_project, project};
pub use raw::Raw;
pub use relay::Relay;
pub use seed::seeded;
pub use server::Server;
pub use site::{Target, run, stream};
pub use tmpfs::Tmpfs;

/// The longest that anything is waited for: far more than a loaded machine needs, so that only what never comes fails.
pub const PATIENCE: Duration = Duration::from_secs(40);
