//! Names of rotated files, as the host reads and orders them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::siblings::{Dated, Family, Mark, order};

/// Which of these files of a log's directory belong to the log, in order, as indices. Fails where the order is none: a file
/// that is missing or twice, or the log itself anywhere but last.
pub fn ordered(live: &[u8], files: &[(Vec<u8>, u64)]) -> Vec<usize> {
    let family = Family::new(OsStr::from_bytes(live));
    let marked = files.iter().enumerate().filter_map(|(index, (name, modified_ns))| {
        Some((index, Dated { mark: family.mark(OsStr::from_bytes(name))?, modified_ns: *modified_ns }))
    });
    let (indices, dated): (Vec<_>, Vec<_>) = marked.unzip();
    let (sorted, _) = order(&dated, None);
    let mut seen = sorted.clone();
    seen.sort_unstable();
    assert!(seen.iter().copied().eq(0..dated.len()), "each file once: {sorted:?}");
    let first_live = sorted.iter().position(|at| dated[*at].mark == Mark::Live).unwrap_or(sorted.len());
    assert!(sorted[first_live..].iter().all(|at| dated[*at].mark == Mark::Live), "the log comes last: {sorted:?}");
    sorted.into_iter().map(|at| indices[at]).collect()
}
