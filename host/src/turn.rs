//! Turns of the state machines: work that may block on files or in a policy, called from a task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::runtime::{Handle, RuntimeFlavor};

/// A turn that panicked, which is a defect of the host. The state that it worked on is gone.
pub struct Defect(String);

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Runs one turn where it may block: in place, since handing it to another thread and back would double the delay of a
/// single line. Other tasks of this worker go on elsewhere meanwhile. A runtime of one thread has no elsewhere, so there
/// the turn gets a thread of its own.
pub async fn turn<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Defect> {
    let done = match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => match tokio::task::spawn_blocking(work).await {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(panic),
                Err(_) => return Err(Defect("the runtime is shut down".into())),
            },
        },
        _ => catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(work))),
    };
    done.map_err(|panic| Defect(words(&*panic)))
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn panics() -> String {
        match turn(|| panic!("on purpose")).await {
            Ok(()) => "no defect".into(),
            Err(defect) => defect.to_string(),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_panic_is_a_defect_in_words_in_place() {
        assert_eq!(panics().await, "on purpose");
        assert_eq!(turn(|| 7).await.ok(), Some(7));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_a_defect_in_words_on_a_thread_of_its_own() {
        assert_eq!(panics().await, "on purpose");
        assert_eq!(turn(|| 7).await.ok(), Some(7));
    }
}
