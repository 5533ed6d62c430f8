//! The policy's decisions, as a state machine that never blocks.

use crate::duration::in_words;
use crate::host::{Host, Nanos};

#[cfg(test)]
mod tests;

/// What is known of a stream before it is accepted, as far as this policy looks at it; see `receiving.caller` of the
/// contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// How often the site will be heard at least.
    pub liveness_interval: Nanos,
    /// The idle timeout that the server is configured with.
    pub idle_timeout: Nanos,
    /// The server's own settings for this policy. It has none, so it refuses any.
    pub custom: Vec<(String, String)>,
}

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Any wake.
    Wait,
    /// Nothing more: end the stream as idle.
    CloseIdle,
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

/// The default receiver policy for one stream.
#[derive(Debug)]
pub struct Receiver {
    idle_timeout: Nanos,
    /// How often this instance was told that the site lost bytes.
    gaps: u64,
}

impl Receiver {
    /// Accepts a stream, or refuses it for good with words for the site's operator.
    pub fn accept(caller: &Caller) -> Result<Self, String> {
        if let Some((key, _)) = caller.custom.first() {
            // A setting that has no effect could be one that somebody relies on, such as what to store.
            let parts = ["the server's default receiver policy has no settings of its own, but was given `", key];
            return Err([&parts.concat(), "`; ask the server's operator to remove it, or to load its policy"].concat());
        }
        let Caller { liveness_interval, idle_timeout, .. } = *caller;
        if liveness_interval == 0 {
            return Err("the site does not say how often it will be heard; set its liveness interval".into());
        }
        if liveness_interval >= idle_timeout {
            return Err([
                "liveness interval ",
                &in_words(liveness_interval),
                " is not shorter than the idle timeout ",
                &in_words(idle_timeout),
                ": the server would take a quiet log for a dead one; set the site's liveness interval to a third of the \
                 server's idle timeout or less, or raise that timeout",
            ]
            .concat());
        }
        Ok(Self { idle_timeout, gaps: 0 })
    }

    /// How long the stream may be silent before the policy is woken with [`Wake::Idle`]: the server's own setting.
    pub fn idle_timeout(&self) -> Nanos {
        self.idle_timeout
    }

    /// Does what can be done now.
    pub fn step<H: Host>(&mut self, host: &mut H, wake: Wake<H::Chunk>) -> Next {
        match wake {
            Wake::Data(chunk) => host.append(&chunk),
            Wake::Lost => self.gaps = self.gaps.saturating_add(1),
            Wake::Idle => return Next::CloseIdle,
            Wake::Other => {}
        }
        Next::Wait
    }

    /// The stream has ended; says what becomes of the log. A log with gaps is kept like a whole one, since the gaps are
    /// recorded beside it, but not without a word.
    pub fn finish<H: Host>(&mut self, host: &mut H, ending: Ending) -> Disposition {
        match ending {
            Ending::SentToEnd => {
                if self.gaps > 0 {
                    let parts = ["kept, though bytes are missing that the site lost; gaps: ", &self.gaps.to_string()];
                    host.warn(&parts.concat());
                }
                Disposition::Keep
            }
            Ending::BrokenOff => Disposition::RetainPartial,
        }
    }
}
