//! A receiver policy for tests: stores what comes behind a mark, and fails when it is told to.
//!
//! Its settings: `mark`, one text; `fail`, which is `data` (each step with data traps after it has staged something) or
//! `poison` (only one with `poison` in it).

#[cfg(target_arch = "wasm32")]
mod shell;
