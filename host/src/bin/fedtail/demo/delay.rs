//! How long lines were on their way: from their append at the site until they could be read from the server's store.

use std::time::{Duration, Instant};

/// How long a log was at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// Bytes, over all files of the log.
    pub length: u64,
    pub at: Instant,
}

/// The delays of a log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delays {
    /// The middle one; of an even number, the later of the two in the middle.
    pub median: Duration,
    pub worst: Duration,
}

/// From when each line was appended, and how much of the log was seen in the store when; both in the order of time. Lines
/// that never were seen do not count. None if that leaves nothing.
pub fn delays(appended: &[Mark], seen: &[Mark]) -> Option<Delays> {
    let mut seen = seen.iter().peekable();
    let mut delays = Vec::new();
    for line in appended {
        while seen.next_if(|look| look.length < line.length).is_some() {}
        let Some(look) = seen.peek() else { break };
        delays.push(look.at.saturating_duration_since(line.at));
    }
    delays.sort();
    Some(Delays { median: *delays.get(delays.len() / 2)?, worst: *delays.last()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(appended: &[(u64, u64)], seen: &[(u64, u64)]) -> Option<(u128, u128)> {
        let start = Instant::now();
        let marks = |marks: &[(u64, u64)]| -> Vec<Mark> {
            marks.iter().map(|&(length, at)| Mark { length, at: start + Duration::from_millis(at) }).collect()
        };
        let delays = delays(&marks(appended), &marks(seen))?;
        Some((delays.median.as_millis(), delays.worst.as_millis()))
    }

    #[test]
    fn a_line_has_arrived_when_its_last_byte_is_there() {
        assert_eq!(of(&[(10, 0)], &[(9, 5), (10, 7), (20, 9)]), Some((7, 7)));
    }

    #[test]
    fn lines_that_arrive_together_have_their_own_delays() {
        assert_eq!(of(&[(10, 0), (20, 4), (30, 6)], &[(30, 10)]), Some((6, 10)));
        assert_eq!(of(&[(10, 0), (20, 5)], &[(10, 1), (20, 8)]), Some((3, 3)));
    }

    #[test]
    fn lines_that_never_arrive_do_not_count() {
        assert_eq!(of(&[(10, 0), (20, 0)], &[(15, 2)]), Some((2, 2)));
        assert_eq!(of(&[(10, 0)], &[]), None);
        assert_eq!(of(&[], &[(10, 0)]), None);
    }
}
