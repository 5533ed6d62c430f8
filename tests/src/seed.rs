//! Chance that can be had again.

/// The variable that makes a test take another run's chances.
const VARIABLE: &str = "FEDTAIL_SEED";

/// The source of a test's chances, and the words with which its messages name it. A new one each time, so that the runs
/// of many machines try many moments; it is printed, and shown where a test fails.
pub fn seeded() -> (fastrand::Rng, String) {
    let seed = match std::env::var(VARIABLE) {
        Ok(seed) => seed.parse().unwrap_or_else(|e| panic!("{VARIABLE}={seed}: {e}")),
        Err(_) => fastrand::u64(..),
    };
    let words = format!("{VARIABLE}={seed}");
    println!("{words} takes the same chances");
    (fastrand::Rng::with_seed(seed), words)
}
