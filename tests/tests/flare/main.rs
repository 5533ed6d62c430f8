//! Sites of NVIDIA FLARE that have no Python to spare: jobs prepared by a script, and workspaces that are watched.

mod agent;
mod inject;
mod simulated;
mod workspace;
