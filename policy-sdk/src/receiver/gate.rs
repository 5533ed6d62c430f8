//! The receiver around a gate, as a state machine that never blocks.

use super::duration::in_words;
use super::{Caller, Gate, Level, Nanos, Store};

#[cfg(test)]
mod tests;

/// Why the policy is stepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake<Chunk> {
    /// Bytes came.
    Data(Chunk),
    /// The site lost bytes.
    Lost,
    /// Nothing was heard for the agreed idle timeout.
    Idle,
    /// The site is alive, or something that asks nothing of this policy.
    Other,
}

/// What the policy waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Any wake.
    Wait,
    /// Nothing more: end the stream as idle.
    CloseIdle,
    /// Nothing more: end the stream as failed, with these words.
    CloseFailed(String),
}

/// What a gate says about bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// They are stored.
    Store,
    /// They are not stored, for this reason, and the stream goes on: their place in the source counts as reached.
    Drop(String),
    /// They are stored, and are the last: the stream ends as failed, with these words. The site opens it again and is
    /// told by [`Gate::accept`] what holds then.
    Last(String),
}

/// Why a stream is not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not now: the site tries again, after this long if given. In words for its operator.
    Later(Option<Nanos>, String),
    /// For good, in words for the site's operator.
    Never(String),
}

/// How a stream ended, as far as this policy makes a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The site sent its end, with all of the source stored or with gaps.
    SentToEnd,
    /// Any other way: idle, aborted, superseded, failed, or one that this policy does not know.
    BrokenOff,
}

/// What becomes of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Hand it over to the job's artifacts.
    Keep,
    /// Leave the partial log where it is.
    RetainPartial,
}

/// A receiver policy for one stream.
#[derive(Debug)]
pub struct Receiver<G> {
    gate: G,
    idle_timeout: Nanos,
    /// How often this instance was told that the site lost bytes.
    gaps: u64,
}

impl<G: Gate> Receiver<G> {
    /// Accepts a stream whose site will be heard often enough and that the gate takes, or refuses it.
    pub fn accept<S: Store>(store: &mut S, mut caller: Caller) -> Result<Self, Refusal> {
        let mut custom = std::mem::take(&mut caller.custom);
        let Caller { liveness_interval, idle_timeout, .. } = caller;
        if liveness_interval == 0 {
            let words = "the site does not say how often it will be heard; set its liveness interval";
            return Err(Refusal::Never(words.into()));
        }
        if liveness_interval >= idle_timeout {
            return Err(Refusal::Never(too_seldom(liveness_interval, idle_timeout)));
        }
        let gate = G::accept(store, &caller, &mut custom)?;
        // A setting that has no effect could be one that somebody relies on, such as what to store.
        custom.done().map_err(|words| {
            Refusal::Never(["the server's receiver policy is set up wrong, tell its operator: ", &words].concat())
        })?;
        Ok(Self { gate, idle_timeout, gaps: 0 })
    }

    /// How long the stream may be silent before the policy is woken with [`Wake::Idle`]: the server's own setting.
    pub fn idle_timeout(&self) -> Nanos {
        self.idle_timeout
    }

    /// Does what can be done now.
    pub fn step<S: Store>(&mut self, store: &mut S, wake: Wake<S::Chunk>) -> Next {
        match wake {
            Wake::Data(chunk) => {
                let length = store.len(&chunk);
                match self.gate.take(store, length) {
                    Take::Store => store.append(&chunk),
                    Take::Drop(why) => store.drop_data(&why),
                    Take::Last(why) => {
                        store.append(&chunk);
                        return Next::CloseFailed(why);
                    }
                }
            }
            Wake::Lost => self.gaps = self.gaps.saturating_add(1),
            Wake::Idle => return Next::CloseIdle,
            Wake::Other => {}
        }
        Next::Wait
    }

    /// The stream has ended; says what becomes of the log. A log with gaps is kept like a whole one, since the gaps are
    /// recorded beside it, but not without a word.
    pub fn finish<S: Store>(self, store: &mut S, ending: Ending) -> Disposition {
        match ending {
            Ending::SentToEnd => {
                if self.gaps > 0 {
                    let parts = ["kept, though bytes are missing that the site lost; gaps: ", &self.gaps.to_string()];
                    store.say(Level::Warn, &parts.concat());
                }
                Disposition::Keep
            }
            Ending::BrokenOff => Disposition::RetainPartial,
        }
    }
}

fn too_seldom(liveness_interval: Nanos, idle_timeout: Nanos) -> String {
    [
        "liveness interval ",
        &in_words(liveness_interval),
        " is not shorter than the idle timeout ",
        &in_words(idle_timeout),
        ": the server would take a quiet log for a dead one; set the site's liveness interval to a third of the server's \
         idle timeout or less, or raise that timeout",
    ]
    .concat()
}
