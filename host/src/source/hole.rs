//! Numbers that are missing among the names of rotated files: a file that nobody here has seen may have been there.

use std::time::Duration;

use super::error::SourceError;
use super::gap::{gap, join};
use super::log::LogSource;
use super::siblings::{Dated, Direction, Mark, way};
use crate::wire::GapReason;

/// How often a hole is looked at again before it is believed, and how long after each other: a rotation renames one file
/// after the other, and while it does there is a hole, for some microseconds or as long as its process has to wait for a
/// processor.
const DOUBTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(5);

impl LogSource {
    /// Owes a gap where numbers are missing between the file that a new process goes on in, or the oldest that is there if
    /// the server has nothing, and the log: what was written and deleted while nobody watched is not known of otherwise.
    pub(super) fn owe_holes(&mut self, from: Option<usize>) -> Result<(), SourceError> {
        let mut missing = self.holes(from);
        for _ in 0..DOUBTS {
            if missing.is_empty() {
                return Ok(());
            }
            std::thread::sleep(PAUSE);
            self.look(None)?;
            // A file keeps its place in the chain, whatever its name is now.
            missing = self.holes(from);
        }
        if let (Some(first), others) = (missing.first(), missing.len().saturating_sub(1)) {
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            let words = format!(
                "the rotated file number {first}{others} of {} is missing between others; if it was there while nobody \
                 watched, it was not read",
                self.path.display()
            );
            join(&mut self.owed, Some(gap(GapReason::Unproven, None, words)));
        }
        Ok(())
    }

    /// The numbers that are missing, nearest to `from` first.
    fn holes(&self, from: Option<usize>) -> Vec<u64> {
        let number = |name| match self.family.mark(name) {
            Some(Mark::Number(number)) => Some(number),
            _ => None,
        };
        // What was seen and deleted since is known of, and leaves a hole.
        if self.chain.iter().any(|held| !held.present) {
            return Vec::new();
        }
        let marked = self.chain.iter().filter(|held| number(&held.name).is_some());
        let dated: Vec<Dated> = marked
            .filter_map(|held| Some((self.family.mark(&held.name)?, held.stat.modified_ns)))
            .map(|(mark, modified_ns)| Dated { mark, modified_ns })
            .collect();
        let Some(way) = self.direction.or_else(|| way(&dated)) else { return Vec::new() };
        // All names, also of files that are none of the log's text, such as empty ones.
        let names = self.looked.iter().flatten();
        let present: Vec<u64> = names.filter_map(|entry| number(&entry.name)).collect();
        let (Some(least), Some(most)) = (present.iter().min(), present.iter().max()) else { return Vec::new() };
        let from = match from {
            None => None,
            // The log itself, or a file without a number: whatever is numbered is older than it, or not to be told.
            Some(index) => match number(&self.chain[index].name) {
                None => return Vec::new(),
                number => number,
            },
        };
        let is_missing = |number: &u64| !present.contains(number);
        match way {
            // Some begin with 0; nobody misses it.
            Direction::Shifted => (1..from.unwrap_or(*most)).rev().filter(is_missing).collect(),
            Direction::Upwards => (from.unwrap_or(*least)..*most).filter(is_missing).collect(),
        }
    }
}
