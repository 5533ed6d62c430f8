//! Waking up when something in a directory changes. One watcher for the whole process, since the kernel limits both
//! watchers and watches; on directories, since a watch on a file does not see the file that takes its name.
//!
//! Events are a help, not a promise: they can be lost, and network file systems have none. Whoever subscribes polls as well.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// The watcher could not be made; logs are then followed by polling alone.
#[derive(Debug, thiserror::Error)]
#[error("file-system events are not available ({0}); logs are looked at in the poll interval only")]
pub struct WatchError(#[from] notify::Error);

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who is to be woken, by directory.
#[derive(Default)]
struct Subscribers {
    by_directory: Mutex<HashMap<PathBuf, Vec<(u64, Wake)>>>,
}

/// Watches directories for the whole process.
pub struct Watcher {
    /// Taken before the subscribers, never after them: the thread that delivers events takes those, and answers this.
    notify: Mutex<Notify>,
    subscribers: Arc<Subscribers>,
    warned: AtomicBool,
}

struct Notify {
    watcher: RecommendedWatcher,
    next: u64,
}

/// Keeps a directory watched; dropping it ends that.
pub struct Subscription {
    watcher: Arc<Watcher>,
    directory: PathBuf,
    number: u64,
}

impl Watcher {
    /// Starts the watcher, with a thread of its own.
    pub fn new() -> Result<Arc<Self>, WatchError> {
        let subscribers = Arc::new(Subscribers::default());
        let woken = Arc::clone(&subscribers);
        let watcher = notify::recommended_watcher(move |event| woken.deliver(event))?;
        let notify = Mutex::new(Notify { watcher, next: 0 });
        Ok(Arc::new(Self { notify, subscribers, warned: AtomicBool::new(false) }))
    }

    /// Calls `wake` whenever something in `directory` is written, made, renamed or deleted; reading wakes nobody. `wake`
    /// runs on the watcher's thread and must not wait for anything. Where the directory can't be watched, a warning says so
    /// and `wake` is not called.
    pub fn subscribe(self: &Arc<Self>, directory: &Path, wake: impl Fn() + Send + Sync + 'static) -> Subscription {
        // Events carry the path that the watch was made with; one path for one directory lets all share a watch.
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.into());
        let mut notify = lock(&self.notify);
        notify.next += 1;
        let number = notify.next;
        let first = {
            let mut subscribers = lock(&self.subscribers.by_directory);
            let of_directory = subscribers.entry(directory.clone()).or_default();
            of_directory.push((number, Arc::new(wake)));
            of_directory.len() == 1
        };
        if first && let Err(error) = notify.watcher.watch(&directory, RecursiveMode::NonRecursive) {
            self.warn(&directory, &error);
        }
        Subscription { watcher: Arc::clone(self), directory, number }
    }

    /// Says that a directory is not watched; that the kernel's watches have run out, once.
    fn warn(&self, directory: &Path, error: &notify::Error) {
        if !matches!(error.kind, notify::ErrorKind::MaxFilesWatch) {
            tracing::warn!(directory = %directory.display(), %error, "a log's directory can't be watched; it is polled");
        } else if !self.warned.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                directory = %directory.display(),
                "the kernel has no watches left, so this directory and further ones are polled; raise \
                 fs.inotify.max_user_watches"
            );
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut notify = lock(&self.watcher.notify);
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
            // Fails where the directory is gone, and its watch with it.
            let _ = notify.watcher.unwatch(&self.directory);
        }
    }
}

impl Subscribers {
    fn deliver(&self, event: notify::Result<Event>) {
        let wakes: Vec<Wake> = match &event {
            Ok(event) if matches!(event.kind, EventKind::Access(_)) && !event.need_rescan() => return,
            Ok(event) if !event.need_rescan() && !event.paths.is_empty() => {
                let subscribers = lock(&self.by_directory);
                let of = |path: &Path| subscribers.get(path).into_iter().flatten();
                let directories = event.paths.iter().flat_map(|path| [Some(path.as_path()), path.parent()]).flatten();
                directories.flat_map(of).map(|(_, wake)| Arc::clone(wake)).collect()
            }
            // Events were lost: anybody may have missed one.
            _ => lock(&self.by_directory).values().flatten().map(|(_, wake)| Arc::clone(wake)).collect(),
        };
        // Without the lock, so that a wake may subscribe.
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

    use notify::event::{AccessKind, AccessMode, Flag, ModifyKind};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn subscribe(watcher: &Arc<Watcher>, directory: &Path) -> (Subscription, Receiver<()>) {
        let (sender, receiver) = channel();
        let subscription = watcher.subscribe(directory, move || sender.send(()).unwrap_or_default());
        (subscription, receiver)
    }

    #[test]
    fn writing_wakes_all_subscribers_of_the_directory_also_after_one_has_left() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (first, _) = subscribe(&watcher, dir.path());
        let (_second, woken) = subscribe(&watcher, &dir.path().join("."));
        assert_eq!(lock(&watcher.subscribers.by_directory).len(), 1, "one watch for both");
        drop(first);
        std::fs::write(dir.path().join("log.txt"), "a").unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn reading_wakes_nobody_and_lost_events_wake_all() {
        let subscribers = Subscribers::default();
        let (sender, woken) = channel();
        let wake: Wake = Arc::new(move || sender.send(()).unwrap_or_default());
        lock(&subscribers.by_directory).insert("/logs".into(), vec![(1, wake)]);
        let log = |kind| Ok(Event::new(kind).add_path("/logs/log.txt".into()));
        subscribers.deliver(log(EventKind::Access(AccessKind::Open(AccessMode::Any))));
        subscribers.deliver(log(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        subscribers.deliver(Ok(Event::new(EventKind::Any).add_path("/elsewhere/log.txt".into())));
        assert_eq!(woken.try_iter().count(), 0);
        subscribers.deliver(log(EventKind::Modify(ModifyKind::Any)));
        assert_eq!(woken.try_iter().count(), 1);
        subscribers.deliver(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)));
        subscribers.deliver(Err(notify::Error::generic("overflow")));
        assert_eq!(woken.try_iter().count(), 2);
    }

    #[test]
    fn the_last_subscription_ends_the_watch() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        drop(subscribe(&watcher, dir.path()));
        assert!(lock(&watcher.subscribers.by_directory).is_empty());
        let (_again, woken) = subscribe(&watcher, dir.path());
        std::fs::write(dir.path().join("log.txt"), "a").unwrap();
        woken.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn a_directory_that_is_not_there_is_left_to_the_poll() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (subscription, woken) = subscribe(&watcher, &dir.path().join("none"));
        drop(subscription);
        assert!(woken.try_recv().is_err());
    }
}
