//! The component around the policy: it translates between the contract's bindings and the policy's own types.

use std::cell::Cell;

use crate::host::Host;
use crate::receiver::{self, Receiver};
use bindings::exports::fedtail::policy::receiving;
use bindings::fedtail::policy::{chunks, diagnostics, log_sink};

/// The generated glue is the one place where the crate can't do without unsafe code.
#[allow(unsafe_code)]
mod bindings {
    use super::Component;
    wit_bindgen::generate!({ path: "../wit/0.1.0", world: "receiver-policy" });
    export!(Component);
}

struct Component;

thread_local! {
    /// The one stream of this instance, once it is accepted.
    static POLICY: Cell<Option<Receiver>> = const { Cell::new(None) };
}

impl receiving::Guest for Component {
    fn accept(caller: receiving::Caller) -> Result<receiving::Terms, receiving::Refusal> {
        let caller = receiver::Caller {
            liveness_interval: caller.liveness_interval,
            idle_timeout: caller.idle_timeout,
            custom: caller.custom,
        };
        let policy = Receiver::accept(&caller).map_err(receiving::Refusal::Never)?;
        let idle_timeout = policy.idle_timeout();
        POLICY.set(Some(policy));
        Ok(receiving::Terms { idle_timeout })
    }

    fn step(wake: receiving::Wake) -> Result<receiving::Next, String> {
        let wake = match wake {
            receiving::Wake::Data(chunk) => receiver::Wake::Data(chunk),
            receiving::Wake::Lost(_) => receiver::Wake::Lost,
            receiving::Wake::Idle(_) => receiver::Wake::Idle,
            receiving::Wake::Heartbeat | receiving::Wake::Timer | receiving::Wake::Other(_) => receiver::Wake::Other,
        };
        // Taken out and put back: a component is never re-entered, and this way there is no borrow that could panic.
        let mut policy = POLICY.take().ok_or("the policy was stepped before it accepted the stream")?;
        let next = policy.step(&mut Store, wake);
        POLICY.set(Some(policy));
        Ok(match next {
            receiver::Next::Wait => receiving::Next::Wait,
            receiver::Next::CloseIdle => receiving::Next::Close(receiving::Ending::Idle),
        })
    }

    fn finish(ending: receiving::Ending) -> receiving::Disposition {
        let ending = match ending {
            receiving::Ending::Complete | receiving::Ending::Incomplete => receiver::Ending::SentToEnd,
            receiving::Ending::Idle
            | receiving::Ending::Aborted
            | receiving::Ending::Superseded
            | receiving::Ending::Failed(_)
            | receiving::Ending::Other(_) => receiver::Ending::BrokenOff,
        };
        match POLICY.take().map(|mut policy| policy.finish(&mut Store, ending)) {
            Some(receiver::Disposition::Keep) => receiving::Disposition::Keep,
            // Without an accepted stream there is nothing to decide, and nothing is the worse for staying.
            Some(receiver::Disposition::RetainPartial) | None => receiving::Disposition::RetainPartial,
        }
    }
}

/// The server's store, through the component's imports.
struct Store;

impl Host for Store {
    type Chunk = chunks::Chunk;

    fn append(&mut self, data: &Self::Chunk) {
        log_sink::append(data);
    }

    fn warn(&mut self, words: &str) {
        diagnostics::say(diagnostics::Level::Warn, words);
    }
}
