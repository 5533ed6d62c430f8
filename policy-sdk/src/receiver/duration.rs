//! Durations in words.

/// Units above the nanosecond with their length in it, the longest first. No minutes: people compare these with what they wrote in a
/// configuration, where seconds are the custom.
const UNITS: [(&str, u64); 3] = [("s", 1_000_000_000), ("ms", 1_000_000), ("us", 1_000)];

/// A duration in the longest unit of which it is a whole number, written as in a configuration: `30s`, `1500ms`.
pub fn in_words(nanos: u64) -> String {
    let whole = UNITS.into_iter().find(|(_, length)| nanos.is_multiple_of(*length));
    let (name, length) = whole.unwrap_or(("ns", 1));
    [&(nanos / length).to_string(), name].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_written_exactly_in_its_longest_whole_unit() {
        for (nanos, words) in [
            (0, "0s"),
            (30_000_000_000, "30s"),
            (90_000_000_000, "90s"),
            (1_500_000_000, "1500ms"),
            (1_000, "1us"),
            (1_001, "1001ns"),
            (u64::MAX, "18446744073709551615ns"),
        ] {
            assert_eq!(in_words(nanos), words);
        }
    }
}
