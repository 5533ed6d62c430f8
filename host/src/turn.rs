//! Turns of the state machines: work that may block on files or in a policy, called from a task.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::runtime::{Handle, RuntimeFlavor};

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

/// How often a short turn lets others go first before it is handed to another thread: as long as a few turns take.
const PATIENCE: usize = 32;

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

/// Short turns that run now, in all runtimes of this process.
static SHORT: AtomicUsize = AtomicUsize::new(0);

/// The place of a short turn among those that may run at once.
struct Place;

impl Place {
    /// A place, where one worker is left for the rest of the runtime even if all short turns hang, on a disk that does not
    /// answer.
    fn take(workers: usize) -> Option<Self> {
        let free = |taken: usize| (taken + 1 < workers).then_some(taken + 1);
        SHORT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, free).ok().map(|_| Place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        SHORT.fetch_sub(1, Ordering::Relaxed);
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
            let workers = runtime.metrics().num_workers();
            let mut place = None;
            if length == Turn::Short {
                if !waited {
                    tokio::task::yield_now().await;
                }
                for _ in 0..PATIENCE {
                    place = Place::take(workers);
                    if place.is_some() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            }
            match place {
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
