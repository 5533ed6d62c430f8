//! A streamer policy that takes e-mail addresses, and words that the site chooses, out of each line before it leaves.
//!
//! | setting | what it does |
//! | --- | --- |
//! | `words = "ward-7,smith"` | takes these out, too, also as parts of other words |

use fedtail_policy_sdk::{Custom, Lines};

/// What stands where something was taken out.
const MARK: &[u8] = b"[redacted]";

/// The policy. One value serves one log.
struct Redact {
    words: Vec<Vec<u8>>,
}

impl Lines for Redact {
    fn start(custom: &mut Custom) -> Result<Self, String> {
        let words = custom.take("words").unwrap_or_default();
        let words: Vec<_> = words.split(',').map(|word| word.trim().as_bytes().to_vec()).collect();
        Ok(Self { words: words.into_iter().filter(|word| !word.is_empty()).collect() })
    }

    // Whole lines only come here, wherever a read ended. What is written to `out` leaves; nothing drops the line.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        // A log is not always UTF-8, so lines are bytes.
        for part in line.split_inclusive(|byte| byte.is_ascii_whitespace()) {
            let text = part.trim_ascii_end();
            let hides = is_address(text) || self.words.iter().any(|word| holds(text, word));
            out.extend_from_slice(if hides { MARK } else { text });
            out.extend_from_slice(&part[text.len()..]);
        }
    }

    // The rest of a line whose beginning left before this policy came into force can't be judged.
    fn rest(&mut self, rest: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(MARK);
        if rest.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
}

/// Whether there is an `@` with something on both sides of it.
fn is_address(text: &[u8]) -> bool {
    text.iter().skip(1).rev().skip(1).any(|byte| *byte == b'@')
}

fn holds(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}

fedtail_policy_sdk::streamer!(Redact);

#[cfg(test)]
mod tests {
    // Reads the log in pieces of several sizes, and lets fresh policies take over wherever one could be interrupted.
    use fedtail_policy_sdk::testing::filter;

    use super::*;

    #[test]
    fn addresses_and_chosen_words_do_not_leave() {
        let log = "round 1 by ann@clinic.example\n  Smith,\tbed 3\nall is well @ 3\n";
        let left = filter::<Redact>(&[("words", "smith, bed")], log).unwrap();
        assert_eq!(left, "round 1 by [redacted]\n  [redacted]\t[redacted] 3\nall is well @ 3\n");
    }

    #[test]
    fn a_setting_that_it_does_not_know_is_refused() {
        let words = filter::<Redact>(&[("word", "smith")], "").unwrap_err();
        assert!(words.contains("no setting `word`"), "{words}");
    }
}
