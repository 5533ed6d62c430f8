//! What is promised under faults, with real processes, files and connections: `docs/guarantees.md` says which line each
//! test shows. One test program, whose tests run side by side.

mod content;
mod killed;
mod link;
mod logrotate;
mod rotated;

/// Bytes of one line that a job writes.
const LINE: usize = 80;
