//! A streamer policy for tests: numbers the lines of a log, and carries the number into its successor.
//!
//! `3a:text` is the third line, sent under the tag `a`. Its settings make it fail:
//! - `tag`: what stands behind the number;
//! - `fail`: `start`, `save`, `load`, `connected` (its first step gives an error after it has queued bytes), or `line`
//!   (it traps at a line that has `poison` in it, before it sends anything of that step).

#[cfg(target_arch = "wasm32")]
mod shell;
