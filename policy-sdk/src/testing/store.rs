//! A server's store in memory.

use crate::Custom;
use crate::receiver::{Caller, Ending, Gate, Level, Next, Receiver, Refusal, Store, Usage, Wake};

const SECOND: u64 = 1_000_000_000;

/// Runs a [`Gate`] over a stream of this log that brings these pieces, and returns what is stored.
///
/// The site is `site-1`, the job `job-1`, and the store has nothing else of them. An error is what the site's operator
/// reads where the stream is refused, or ended by the policy.
pub fn receive<G: Gate>(settings: &[(&str, &str)], log: &str, pieces: &[&str]) -> Result<String, String> {
    let custom = settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
    let caller = Caller {
        site: "site-1".into(),
        job: "job-1".into(),
        log: log.into(),
        liveness_interval: 10 * SECOND,
        policy_digest: "sha256:".to_owned() + &"0".repeat(64),
        stored: 0,
        idle_timeout: 30 * SECOND,
        custom: Custom::new(custom),
    };
    let mut stored = Stored::default();
    let mut receiver = Receiver::<G>::accept(&mut stored, caller).map_err(|refusal| match refusal {
        Refusal::Later(_, words) | Refusal::Never(words) => words,
    })?;
    for piece in pieces {
        match receiver.step(&mut stored, Wake::Data(piece.as_bytes().to_vec())) {
            Next::Wait => {}
            Next::CloseIdle => return Err("it takes the stream for an idle one".into()),
            Next::CloseFailed(words) => return Err(words),
        }
    }
    receiver.finish(&mut stored, Ending::SentToEnd);
    Ok(String::from_utf8_lossy(&stored.bytes).into_owned())
}

/// What was stored of one log, and nothing beside it.
#[derive(Default)]
struct Stored {
    bytes: Vec<u8>,
}

impl Store for Stored {
    type Chunk = Vec<u8>;

    fn len(&mut self, data: &Vec<u8>) -> u64 {
        data.len() as u64
    }

    fn append(&mut self, data: &Vec<u8>) {
        self.bytes.extend_from_slice(data);
    }

    fn drop_data(&mut self, _why: &str) {}

    fn size(&mut self) -> u64 {
        self.bytes.len() as u64
    }

    fn others(&mut self) -> Usage {
        Usage::default()
    }

    fn say(&mut self, _level: Level, _words: &str) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::receiver::{Take, TakesAll};

    /// Takes pieces of one byte, drops those of two, and ends with a longer one.
    struct Marked;

    impl Gate for Marked {
        fn accept<S: Store>(_store: &mut S, caller: &Caller, _custom: &mut Custom) -> Result<Self, Refusal> {
            if caller.log == "b" { Err(Refusal::Later(None, "come again".into())) } else { Ok(Self) }
        }

        fn take<S: Store>(&mut self, _store: &mut S, length: u64) -> Take {
            match length {
                1 => Take::Store,
                2 => Take::Drop("too long".into()),
                _ => Take::Last("enough".into()),
            }
        }
    }

    #[test]
    fn what_a_gate_takes_is_stored_and_what_it_says_is_the_error() {
        assert_eq!(receive::<TakesAll>(&[], "a", &["x", "yy"]).unwrap(), "xyy");
        assert_eq!(receive::<Marked>(&[], "a", &["x", "yy", "z"]).unwrap(), "xz");
        assert_eq!(receive::<Marked>(&[], "a", &["x", "yyy", "z"]).unwrap_err(), "enough");
        assert_eq!(receive::<Marked>(&[], "b", &[]).unwrap_err(), "come again");
        assert!(receive::<TakesAll>(&[("a", "1")], "a", &[]).unwrap_err().contains("no setting `a`"));
    }
}
