//! Turns of the state machines: work that may block on files or in a policy, called from a task.

use std::any::Any;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A turn that panicked, which is a defect of the host. The state that it worked on is gone.
pub struct Defect(String);

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How long a turn is expected to take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// A line or a few, or none: what takes the time is to wake threads, so the worker runs it as it is.
    Short,
    /// Whatever comes: other tasks of this worker go on elsewhere meanwhile.
    Long,
}

/// More bytes than this on their way make a turn long.
pub const SHORT_BYTES: u64 = 64 << 10;

/// How long a short turn waits for its place before it gets a thread of its own. Places are taken for microseconds, and by a
/// crowd of turns for some milliseconds; for longer only where those that have them hang.
const PATIENCE: Duration = Duration::from_millis(100);

/// Waits, and tells whether that took any waiting. If so, the caller was polled anew, and has woken nobody since.
pub async fn awaited<F: Future>(event: F) -> (F::Output, bool) {
    let mut event = std::pin::pin!(event);
    let mut waited = false;
    let output = std::future::poll_fn(|context| {
        let polled = event.as_mut().poll(context);
        waited |= polled.is_pending();
        polled
    });
    (output.await, waited)
}

/// The places of short turns, by runtime. A process has one runtime, or a few.
static PLACES: LazyLock<Mutex<HashMap<Id, Arc<Semaphore>>>> = LazyLock::new(Mutex::default);

/// The places of this runtime: so many that one worker is left for the rest even if all short turns hang, on a disk that does
/// not answer.
fn places(runtime: &Handle) -> Arc<Semaphore> {
    let mut places = PLACES.lock().unwrap_or_else(PoisonError::into_inner);
    let new = || Arc::new(Semaphore::new(runtime.metrics().num_workers().saturating_sub(1)));
    places.entry(runtime.id()).or_insert_with(new).clone()
}

/// A place of a short turn, or none where those that have them hang.
async fn place(runtime: &Handle) -> Option<OwnedSemaphorePermit> {
    let places = places(runtime);
    match places.clone().try_acquire_owned() {
        Ok(place) => Some(place),
        Err(_) => tokio::time::timeout(PATIENCE, places.acquire_owned()).await.ok()?.ok(),
    }
}

/// Runs one turn where it may block: in place, since handing it to another thread and back would double the delay of a
/// single line, and with a thousand logs keep the processors busy with threads. A runtime of one thread has no elsewhere for
/// its other tasks, so there the turn gets a thread of its own.
///
/// `waited`, as [`awaited`] tells: the caller has woken nobody since it was polled. A task that it has woken would have to wait
/// for a short turn, also where it hangs; so without it, that task goes first.
pub async fn turn<T: Send + 'static>(
    length: Turn,
    waited: bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Defect> {
    let runtime = Handle::current();
    let done = match runtime.runtime_flavor() {
        RuntimeFlavor::CurrentThread => match tokio::task::spawn_blocking(work).await {
            Ok(done) => Ok(done),
            Err(error) => match error.try_into_panic() {
                Ok(panic) => Err(panic),
                Err(_) => return Err(Defect("the runtime is shut down".into())),
            },
        },
        _ => {
            let mut taken = None;
            if length == Turn::Short && runtime.metrics().num_workers() > 1 {
                if !waited {
                    tokio::task::yield_now().await;
                }
                taken = place(&runtime).await;
            }
            match taken {
                Some(_place) => catch_unwind(AssertUnwindSafe(work)),
                None => catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(work))),
            }
        }
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

    /// How long until something hangs.
    const HANGS: std::time::Duration = std::time::Duration::from_secs(20);

    async fn panics() -> String {
        match turn(Turn::Short, true, || panic!("on purpose")).await {
            Ok(()) => "no defect".into(),
            Err(defect) => defect.to_string(),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_panic_is_a_defect_in_words_in_place() {
        assert_eq!(panics().await, "on purpose");
        assert_eq!(turn(Turn::Short, true, || 7).await.ok(), Some(7));
    }

    #[test]
    fn turns_that_hang_leave_a_worker_for_the_rest() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (done, others) = std::sync::mpsc::channel();
        let mut disks = Vec::new();
        for _ in 0..4 {
            let (answers, disk) = std::sync::mpsc::channel::<()>();
            let (hangs, hanging) = std::sync::mpsc::channel();
            runtime.spawn(turn(Turn::Short, true, move || {
                hangs.send(()).unwrap();
                disk.recv().unwrap_err();
            }));
            hanging.recv_timeout(HANGS).expect("a turn waits for another one");
            disks.push(answers);
            let done = done.clone();
            runtime.spawn(async move { done.send(()).unwrap() });
            let alive = others.recv_timeout(HANGS);
            if alive.is_err() {
                runtime.shutdown_background();
                panic!("with {} turns that hang nothing else runs", disks.len());
            }
        }
        drop(disks);
    }

    #[tokio::test]
    async fn waiting_is_told_apart_from_being_ready() {
        assert_eq!(awaited(std::future::ready(7)).await, (7, false));
        assert!(awaited(tokio::task::yield_now()).await.1);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_a_defect_in_words_on_a_thread_of_its_own() {
        assert_eq!(panics().await, "on purpose");
        assert_eq!(turn(Turn::Short, true, || 7).await.ok(), Some(7));
    }
}
