//! Sites of NVIDIA FLARE that have no Python to spare, and containers: jobs prepared by a script, workspaces that are watched, and
//! the files of `deploy/`.

mod agent;
mod deployed;
mod inject;
mod itself;
mod workspace;
