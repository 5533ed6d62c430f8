//! Waking up when something in a directory changes. One watcher for the whole process, since the kernel limits both
//! watchers and watches; on directories, since a watch on a file does not see the file that takes its name.
//!
//! Events are a help, not a promise: they can be lost, and network file systems have none. Whoever subscribes polls as well.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::siblings::Family;

/// The watcher could not be made; logs are then followed by polling alone.
#[derive(Debug, thiserror::Error)]
#[error("file-system events are not available ({0}); logs are looked at in the poll interval only")]
pub struct WatchError(#[from] notify::Error);

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who is to be woken, by directory.
#[derive(Default)]
struct Subscribers {
    by_directory: Mutex<HashMap<PathBuf, OfDirectory>>,
}

/// Who is to be woken by events of one directory.
#[derive(Default)]
struct OfDirectory {
    /// By everything in it.
    all: Vec<(u64, Wake)>,
    /// By what concerns a log in it, by the log's name. A thousand logs in one directory, each of which would wake the
    /// streams of all others, would keep the processor busy with nothing.
    logs: HashMap<OsString, OfLog>,
}

struct OfLog {
    family: Family,
    wakes: Vec<(u64, Wake)>,
}

impl OfDirectory {
    fn is_empty(&self) -> bool {
        self.all.is_empty() && self.logs.is_empty()
    }

    /// Who subscribed to what concerns this log, or to everything.
    fn of(&mut self, log: Option<&OsStr>) -> &mut Vec<(u64, Wake)> {
        match log {
            None => &mut self.all,
            Some(name) => {
                let new = || OfLog { family: Family::new(name), wakes: Vec::new() };
                &mut self.logs.entry(name.into()).or_insert_with(new).wakes
            }
        }
    }

    fn leave(&mut self, number: u64) {
        self.all.retain(|(other, _)| *other != number);
        self.logs.retain(|_, log| {
            log.wakes.retain(|(other, _)| *other != number);
            !log.wakes.is_empty()
        });
    }

    fn everybody(&self) -> impl Iterator<Item = &Wake> {
        self.all.iter().chain(self.logs.values().flat_map(|log| &log.wakes)).map(|(_, wake)| wake)
    }

    /// Those whom something of this name concerns. Writing to a log is what happens most, and is found at once; any other
    /// name can be a rotated file of each log.
    fn concerned(&self, name: &OsStr) -> Vec<&Wake> {
        let of_log: Vec<&OfLog> = match self.logs.get(name) {
            Some(log) => vec![log],
            None => self.logs.values().filter(|log| log.family.mark(name).is_some()).collect(),
        };
        self.all.iter().chain(of_log.into_iter().flat_map(|log| &log.wakes)).map(|(_, wake)| wake).collect()
    }
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
        self.enter(directory, None, Arc::new(wake))
    }

    /// As [`subscribe`](Self::subscribe), for what concerns the log at this path: itself and its rotated files, not the other
    /// files of its directory.
    pub fn subscribe_to_log(self: &Arc<Self>, log: &Path, wake: impl Fn() + Send + Sync + 'static) -> Subscription {
        // A bare file name is in the working directory.
        let directory = log.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.enter(directory, log.file_name(), Arc::new(wake))
    }

    fn enter(self: &Arc<Self>, directory: &Path, log: Option<&OsStr>, wake: Wake) -> Subscription {
        // Events carry the path that the watch was made with; one path for one directory lets all share a watch.
        let directory = directory.canonicalize().unwrap_or_else(|_| directory.into());
        let mut notify = lock(&self.notify);
        notify.next += 1;
        let number = notify.next;
        let first = {
            let mut subscribers = lock(&self.subscribers.by_directory);
            let of_directory = subscribers.entry(directory.clone()).or_default();
            let first = of_directory.is_empty();
            of_directory.of(log).push((number, wake));
            first
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
            of_directory.leave(self.number);
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
                let mut wakes = Vec::new();
                for path in &event.paths {
                    if let Some(of_directory) = subscribers.get(path.as_path()) {
                        wakes.extend(of_directory.everybody().map(Arc::clone));
                    }
                    let named = path.parent().and_then(|parent| subscribers.get(parent)).zip(path.file_name());
                    if let Some((of_directory, name)) = named {
                        wakes.extend(of_directory.concerned(name).into_iter().map(Arc::clone));
                    }
                }
                wakes
            }
            // Events were lost: anybody may have missed one.
            _ => lock(&self.by_directory).values().flat_map(OfDirectory::everybody).map(Arc::clone).collect(),
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

    use notify::event::{AccessKind, AccessMode, Flag, ModifyKind, RemoveKind, RenameMode};

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
        lock(&subscribers.by_directory).entry("/logs".into()).or_default().of(None).push((1, wake));
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
    fn a_log_is_woken_by_itself_and_its_rotated_files_alone() {
        let subscribers = Subscribers::default();
        let (sender, woken) = channel();
        for (number, name) in [(1, "log.txt"), (2, "other.txt")] {
            let sender = sender.clone();
            let wake: Wake = Arc::new(move || sender.send(number).unwrap_or_default());
            let mut directories = lock(&subscribers.by_directory);
            directories.entry("/logs".into()).or_default().of(Some(OsStr::new(name))).push((number, wake));
        }
        let woken_by = |kind, names: &[&str]| {
            let event =
                names.iter().fold(Event::new(kind), |event, name| event.add_path(Path::new("/logs").join(name)));
            subscribers.deliver(Ok(event));
            let mut woken: Vec<u64> = woken.try_iter().collect();
            woken.sort_unstable();
            woken
        };
        let (written, renamed) =
            (EventKind::Modify(ModifyKind::Any), EventKind::Modify(ModifyKind::Name(RenameMode::Both)));
        assert_eq!(woken_by(written, &["log.txt"]), [1]);
        assert_eq!(woken_by(written, &["log.txt.1"]), [1], "a writer goes on in a file that was rotated away");
        assert_eq!(woken_by(renamed, &["other.txt", "old"]), [2]);
        assert_eq!(woken_by(renamed, &["new", "log.txt"]), [1]);
        assert!(woken_by(written, &["model.pt"]).is_empty());
        assert_eq!(woken_by(EventKind::Remove(RemoveKind::Folder), &[""]), [1, 2], "the directory itself");
        lock(&subscribers.by_directory).get_mut(Path::new("/logs")).unwrap().leave(1);
        assert!(woken_by(written, &["log.txt", "log.txt.1"]).is_empty());
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
