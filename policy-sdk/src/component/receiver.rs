//! A receiver policy as a component.

use super::bindings::receiver::exports::fedtail::policy::receiving;
use super::bindings::receiver::fedtail::policy::{chunks, diagnostics, log_sink, usage};
use crate::Custom;
use crate::receiver::{self, Gate, Level, Receiver, Refusal, Store, Usage};

/// Asks a policy whether it takes a stream.
pub fn accept<G: Gate>(caller: receiving::Caller) -> Result<(Receiver<G>, receiving::Terms), receiving::Refusal> {
    let caller = receiver::Caller {
        site: caller.site,
        job: caller.job,
        log: caller.log,
        liveness_interval: caller.liveness_interval,
        policy_digest: caller.policy_digest,
        stored: caller.stored,
        idle_timeout: caller.idle_timeout,
        custom: Custom::new(caller.custom),
    };
    let policy = Receiver::accept(&mut Sink, caller).map_err(|refusal| match refusal {
        Refusal::Later(after, why) => receiving::Refusal::Later(receiving::Postponement { after, why }),
        Refusal::Never(why) => receiving::Refusal::Never(why),
    })?;
    let idle_timeout = policy.idle_timeout();
    Ok((policy, receiving::Terms { idle_timeout }))
}

/// Steps a policy.
pub fn step<G: Gate>(policy: &mut Receiver<G>, wake: receiving::Wake) -> receiving::Next {
    let wake = match wake {
        receiving::Wake::Data(chunk) => receiver::Wake::Data(chunk),
        receiving::Wake::Lost(_) => receiver::Wake::Lost,
        receiving::Wake::Idle(_) => receiver::Wake::Idle,
        receiving::Wake::Heartbeat | receiving::Wake::Timer | receiving::Wake::Other(_) => receiver::Wake::Other,
    };
    match policy.step(&mut Sink, wake) {
        receiver::Next::Wait => receiving::Next::Wait,
        receiver::Next::CloseIdle => receiving::Next::Close(receiving::Ending::Idle),
        receiver::Next::CloseFailed(why) => receiving::Next::Close(receiving::Ending::Failed(why)),
    }
}

/// Tells a policy how its stream ended.
pub fn finish<G: Gate>(policy: Option<Receiver<G>>, ending: receiving::Ending) -> receiving::Disposition {
    let ending = match ending {
        receiving::Ending::Complete | receiving::Ending::Incomplete => receiver::Ending::SentToEnd,
        receiving::Ending::Idle
        | receiving::Ending::Aborted
        | receiving::Ending::Superseded
        | receiving::Ending::Failed(_)
        | receiving::Ending::Other(_) => receiver::Ending::BrokenOff,
    };
    match policy.map(|policy| policy.finish(&mut Sink, ending)) {
        Some(receiver::Disposition::Keep) => receiving::Disposition::Keep,
        // Without an accepted stream there is nothing to decide, and nothing is the worse for staying.
        Some(receiver::Disposition::RetainPartial) | None => receiving::Disposition::RetainPartial,
    }
}

/// The server's store, through the component's imports.
struct Sink;

impl Store for Sink {
    type Chunk = chunks::Chunk;

    fn len(&mut self, data: &Self::Chunk) -> u64 {
        u64::from(data.len())
    }

    fn append(&mut self, data: &Self::Chunk) {
        log_sink::append(data);
    }

    fn drop_data(&mut self, why: &str) {
        log_sink::drop_data(why);
    }

    fn size(&mut self) -> u64 {
        log_sink::size()
    }

    fn others(&mut self) -> Usage {
        let usage::Totals { logs, bytes } = usage::others();
        Usage { logs, bytes }
    }

    fn say(&mut self, level: Level, words: &str) {
        let level = match level {
            Level::Info => diagnostics::Level::Info,
            Level::Warn => diagnostics::Level::Warn,
        };
        diagnostics::say(level, words);
    }
}
