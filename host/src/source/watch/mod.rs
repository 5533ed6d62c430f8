//! Waking up when something in a directory changes. One watcher for the whole process, since the kernel limits both
//! watchers and watches; on directories, since a watch on a file does not see the file that takes its name.
//!
//! Events are a help, not a promise: they can be lost, and network file systems have none. Whoever subscribes polls as well.
//!
//! On Linux they are read by a task, on the worker that then sends the line: docs/decisions/0007. Elsewhere a thread of the
//! `notify` library waits for them.

#[cfg(target_os = "linux")]
mod inotify;
#[cfg(any(not(target_os = "linux"), test))]
mod notify;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[cfg(target_os = "linux")]
use self::inotify::Events;
#[cfg(not(target_os = "linux"))]
use self::notify::Events;

/// The watcher could not be made; logs are then followed by polling alone.
#[derive(Debug, thiserror::Error)]
#[error("file-system events are not available ({0}); logs are looked at in the poll interval only")]
pub struct WatchError(String);

/// Why one directory is not watched.
enum NotWatched {
    /// The kernel gives this user no more watches.
    NoneLeft,
    /// In words.
    Other(String),
}

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who is to be woken, by directory.
#[derive(Default)]
struct Subscribers {
    by_directory: Mutex<HashMap<PathBuf, Vec<(u64, Wake)>>>,
}

/// Watches directories for the whole process.
pub struct Watcher {
    /// Taken before the subscribers, never after them: who delivers events takes those.
    watching: Mutex<Watching>,
    subscribers: Arc<Subscribers>,
    warned: AtomicBool,
}

struct Watching {
    events: Events,
    next: u64,
}

/// Keeps a directory watched; dropping it ends that.
pub struct Subscription {
    watcher: Arc<Watcher>,
    directory: PathBuf,
    number: u64,
}

impl Watcher {
    /// Starts the watcher, on the current tokio runtime: it delivers as long as that runs.
    ///
    /// # Errors
    ///
    /// The system gives no events, or there is no runtime.
    pub fn new() -> Result<Arc<Self>, WatchError> {
        let subscribers = Arc::new(Subscribers::default());
        let events = Events::deliver_to(Arc::clone(&subscribers)).map_err(WatchError)?;
        let watching = Mutex::new(Watching { events, next: 0 });
        Ok(Arc::new(Self { watching, subscribers, warned: AtomicBool::new(false) }))
    }

    /// Calls `wake` whenever something in `directory` is written, made, renamed or deleted; reading wakes nobody. `wake`
    /// must not wait for anything. Where the directory can't be watched, a warning says so and `wake` is not called.
    pub fn subscribe(self: &Arc<Self>, directory: &Path, wake: impl Fn() + Send + Sync + 'static) -> Subscription {
        // Events carry the path that the watch was made with; one path for one directory lets all share a watch.
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.into());
        let mut watching = lock(&self.watching);
        watching.next += 1;
        let number = watching.next;
        let first = {
            let mut subscribers = lock(&self.subscribers.by_directory);
            let of_directory = subscribers.entry(directory.clone()).or_default();
            of_directory.push((number, Arc::new(wake)));
            of_directory.len() == 1
        };
        if first && let Err(error) = watching.events.watch(&directory) {
            self.warn(&directory, &error);
        }
        Subscription { watcher: Arc::clone(self), directory, number }
    }

    /// Says that a directory is not watched; that the kernel's watches have run out, once.
    fn warn(&self, directory: &Path, error: &NotWatched) {
        match error {
            NotWatched::Other(error) => {
                tracing::warn!(directory = %directory.display(), %error, "a log's directory can't be watched; it is polled");
            }
            NotWatched::NoneLeft if !self.warned.swap(true, Ordering::Relaxed) => tracing::warn!(
                directory = %directory.display(),
                "the kernel has no watches left, so this directory and further ones are polled; raise \
                 fs.inotify.max_user_watches"
            ),
            NotWatched::NoneLeft => {}
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut watching = lock(&self.watcher.watching);
        let last = {
            let mut subscribers = lock(&self.watcher.subscribers.by_directory);
            let Some(of_directory) = subscribers.get_mut(&self.directory) else { return };
            of_directory.retain(|(number, _)| *number != self.number);
            let last = of_directory.is_empty();
            if last {
                subscribers.remove(&self.directory);
            }
            last
        };
        if last {
            watching.events.unwatch(&self.directory);
        }
    }
}

impl Subscribers {
    /// Something in these directories changed.
    fn changed<'a>(&self, directories: impl IntoIterator<Item = &'a Path>) {
        let wakes: Vec<Wake> = {
            let subscribers = lock(&self.by_directory);
            let of = |directory: &Path| subscribers.get(directory).into_iter().flatten();
            directories.into_iter().flat_map(of).map(|(_, wake)| Arc::clone(wake)).collect()
        };
        // Without the lock, so that a wake may subscribe.
        for wake in wakes {
            wake();
        }
    }

    /// Events were lost: anybody may have missed one.
    fn lost(&self) {
        let wakes: Vec<Wake> = lock(&self.by_directory).values().flatten().map(|(_, wake)| Arc::clone(wake)).collect();
        for wake in wakes {
            wake();
        }
    }
}

/// A panic elsewhere leaves the maps as they are between two statements, which is always whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn subscribe(watcher: &Arc<Watcher>, directory: &Path) -> (Subscription, Receiver<()>) {
        let (sender, receiver) = channel();
        let subscription = watcher.subscribe(directory, move || sender.send(()).unwrap_or_default());
        (subscription, receiver)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn writing_wakes_all_subscribers_of_the_directory_also_after_one_has_left() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (first, _) = subscribe(&watcher, dir.path());
        let (_second, woken) = subscribe(&watcher, &dir.path().join("."));
        assert_eq!(lock(&watcher.subscribers.by_directory).len(), 1, "one watch for both");
        drop(first);
        std::fs::write(dir.path().join("log.txt"), "a").unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn reading_wakes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("log.txt");
        std::fs::write(&file, "a").unwrap();
        let watcher = Watcher::new().unwrap();
        let (_subscription, woken) = subscribe(&watcher, dir.path());
        std::fs::read(&file).unwrap();
        std::fs::read_dir(dir.path()).unwrap().for_each(drop);
        // Events come in order, so the first is not of the reading.
        std::fs::rename(&file, dir.path().join("log.txt.1")).unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
        // A rename is two events.
        assert!(woken.recv_timeout(Duration::from_millis(200)).into_iter().count() + woken.try_iter().count() <= 1);
    }

    #[test]
    fn lost_events_wake_all() {
        let subscribers = Subscribers::default();
        let (sender, woken) = channel();
        let wake: Wake = Arc::new(move || sender.send(()).unwrap_or_default());
        lock(&subscribers.by_directory).insert("/logs".into(), vec![(1, wake)]);
        subscribers.changed([Path::new("/elsewhere")]);
        assert_eq!(woken.try_iter().count(), 0);
        subscribers.changed([Path::new("/logs")]);
        assert_eq!(woken.try_iter().count(), 1);
        subscribers.lost();
        assert_eq!(woken.try_iter().count(), 1);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn the_last_subscription_ends_the_watch() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        drop(subscribe(&watcher, dir.path()));
        assert!(lock(&watcher.subscribers.by_directory).is_empty());
        let (_again, woken) = subscribe(&watcher, dir.path());
        std::fs::write(dir.path().join("log.txt"), "a").unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn a_directory_that_is_not_there_is_left_to_the_poll() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (subscription, woken) = subscribe(&watcher, &dir.path().join("none"));
        drop(subscription);
        assert!(woken.try_recv().is_err());
    }
}
