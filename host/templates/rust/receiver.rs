//! A receiver policy that takes only logs with certain endings.
//!
//! | setting | what it does |
//! | --- | --- |
//! | `endings = ".txt,.json"` | how the names of the logs end that are taken; needed |

use fedtail_policy_sdk::Custom;
use fedtail_policy_sdk::receiver::{Caller, Gate, Refusal, Store, Take};

/// The policy. One value serves one stream.
#[derive(Debug)]
struct Endings;

impl Gate for Endings {
    fn accept<S: Store>(
        _store: &mut S,
        caller: &Caller,
        custom: &mut Custom,
    ) -> Result<Self, Refusal> {
        let Some(endings) = custom.take("endings") else {
            return Err(Refusal::Never(
                "the server's policy is set up without `endings`; tell its operator".into(),
            ));
        };
        if endings.split(',').any(|ending| caller.log.ends_with(ending.trim())) {
            return Ok(Self);
        }
        // The site's operator reads this.
        let words =
            format!("this server takes logs that end with {endings}, and {} does not", caller.log);
        Err(Refusal::Never(words))
    }

    // Asked for each piece that comes: it can also be dropped with a reason, or be the last one.
    fn take<S: Store>(&mut self, _store: &mut S, _length: u64) -> Take {
        Take::Store
    }
}

fedtail_policy_sdk::receiver!(Endings);

#[cfg(test)]
mod tests {
    // A server's store in memory.
    use fedtail_policy_sdk::testing::receive;

    use super::*;

    #[test]
    fn a_log_with_a_good_ending_is_stored() {
        let stored =
            receive::<Endings>(&[("endings", ".txt, .json")], "log.json", &["one\n", "two\n"]);
        assert_eq!(stored.unwrap(), "one\ntwo\n");
    }

    #[test]
    fn another_log_is_refused_in_words() {
        let words = receive::<Endings>(&[("endings", ".txt")], "model.bin", &["x"]).unwrap_err();
        assert_eq!(words, "this server takes logs that end with .txt, and model.bin does not");
        let words = receive::<Endings>(&[], "log.txt", &[]).unwrap_err();
        assert!(words.contains("without `endings`"), "{words}");
    }
}
