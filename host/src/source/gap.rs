//! Making gaps.

use crate::wire::{Gap, GapReason};

/// A gap; `lost` in bytes where the number is known. A reason of `Unspecified` is one that only the words tell.
pub(super) fn gap(reason: GapReason, lost: Option<u64>, words: String) -> Gap {
    Gap { lost, reason: reason.into(), words, at: 0 }
}

/// Adds a gap to one that is told at the same place. The first one's reason stands for both.
pub(super) fn join(first: &mut Option<Gap>, second: Option<Gap>) {
    let Some(second) = second else { return };
    *first = Some(match first.take() {
        None => second,
        // Told again after a reconnect.
        Some(first) if first.words.contains(&second.words) => first,
        Some(first) => Gap {
            lost: first.lost.zip(second.lost).map(|(a, b)| a.saturating_add(b)),
            words: format!("{}; {}", first.words, second.words),
            ..first
        },
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_gaps_at_one_place_keep_both_words_and_a_sum_only_where_both_are_known() {
        let some = |lost, words: &str| Some(gap(GapReason::Deleted, lost, words.into()));
        let mut both = None;
        join(&mut both, some(Some(3), "a"));
        join(&mut both, some(Some(4), "b"));
        assert_eq!(both, some(Some(7), "a; b"));
        join(&mut both, some(None, "c"));
        assert_eq!(both, some(None, "a; b; c"));
    }
}
