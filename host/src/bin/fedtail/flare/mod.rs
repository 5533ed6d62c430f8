//! NVIDIA FLARE on disk, as version 2.9 writes it: a site's workspace, its jobs and their configuration, its permission.

mod job_config;
mod layout;
mod permission;
mod replace;
pub mod streamer;

pub mod worker;
pub mod workspace;

pub use self::job_config::JobConfig;
pub use self::permission::{Permission, of_workspace as permission};
pub use self::replace::replace;
pub use self::streamer::Streamer;
pub use self::workspace::{JobDirectory, Workspace};
