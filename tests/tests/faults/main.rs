//! What is promised under faults, with real processes, files and connections: `docs/guarantees.md` says which line each
//! test shows. One test program, whose tests run side by side.

mod clock;
mod content;
mod durability;
mod killed;
mod link;
mod logrotate;
mod many;
mod reused;
mod rotated;
mod space;

/// Bytes of one line that a job writes.
const LINE: usize = 80;
