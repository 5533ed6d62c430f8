//! Waking up when something in a directory changes. One watcher for the whole process, since the kernel limits both
//! watchers and watches; on directories, since a watch on a file does not see the file that takes its name.
//!
//! Events are a help, not a promise: they can be lost, and network file systems have none. Whoever subscribes polls as well.
//!
//! Linux's inotify, read on the runtime: the worker that hears of a line sends it (docs/decisions/0007).

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use super::siblings::Family;

/// The watcher could not be made; logs are then followed by polling alone.
#[derive(Debug, thiserror::Error)]
#[error("file-system events are not available ({0}); logs are looked at in the poll interval only")]
pub struct WatchError(#[from] io::Error);

type Wake = Arc<dyn Fn() + Send + Sync>;

/// Who is to be woken, by the number that the kernel has given the watch of their directory.
type Subscribers = Mutex<HashMap<i32, OfDirectory>>;

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

/// What changes a log or its directory. Not that something is opened, read or closed, which streams do all the time.
const OF_INTEREST: WatchFlags = WatchFlags::MODIFY
    .union(WatchFlags::ATTRIB)
    .union(WatchFlags::CREATE)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::MOVE)
    .union(WatchFlags::DELETE_SELF)
    .union(WatchFlags::MOVE_SELF)
    .union(WatchFlags::ONLYDIR);

/// Watches directories for the whole process.
pub struct Watcher {
    inotify: Arc<OwnedFd>,
    subscribers: Arc<Subscribers>,
    next: AtomicU64,
    warned: AtomicBool,
    delivers: AbortHandle,
}

/// Keeps a directory watched; dropping it ends that.
pub struct Subscription {
    watcher: Arc<Watcher>,
    /// None where it could not be watched.
    watch: Option<i32>,
    number: u64,
}

impl Watcher {
    /// Starts the watcher, with a task of its own in the tokio runtime that this is called in. That one's I/O must be enabled;
    /// else it panics.
    pub fn new() -> Result<Arc<Self>, WatchError> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).map_err(io::Error::from)?;
        let inotify = Arc::new(inotify);
        let subscribers = Arc::<Subscribers>::default();
        // SAFETY: an `OwnedFd` in an `Arc` is open, and the same descriptor, for as long as the `Arc` is there.
        #[allow(unsafe_code, reason = "tokio can't see that the descriptor stays open; see SAFETY")]
        let events = unsafe { AsyncFd::register_with_interest(inotify.clone(), Interest::READABLE) };
        let events = events.map_err(|error| error.into_parts().1)?;
        let delivers = runtime.spawn(deliver(events, subscribers.clone())).abort_handle();
        let (next, warned) = (AtomicU64::new(0), AtomicBool::new(false));
        Ok(Arc::new(Self { inotify, subscribers, next, warned, delivers }))
    }

    /// Calls `wake` whenever something in `directory` is written, made, renamed or deleted; reading wakes nobody. `wake`
    /// runs on a worker of the runtime and must not wait for anything. Where the directory can't be watched, a warning says
    /// so and `wake` is not called.
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
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        // Under the lock, so that the first event finds its subscriber. One directory has one watch, however it is called.
        let mut subscribers = lock(&self.subscribers);
        let watch = inotify::add_watch(&self.inotify, directory, OF_INTEREST);
        if let Ok(watch) = watch {
            subscribers.entry(watch).or_default().of(log).push((number, wake));
        }
        drop(subscribers);
        let watch = watch.inspect_err(|error| self.warn(directory, *error)).ok();
        Subscription { watcher: Arc::clone(self), watch, number }
    }

    /// Says that a directory is not watched; that the kernel's watches have run out, once.
    fn warn(&self, directory: &Path, error: Errno) {
        if error != Errno::NOSPC {
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

impl Drop for Watcher {
    fn drop(&mut self) {
        self.delivers.abort();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let Some(watch) = self.watch else { return };
        let mut subscribers = lock(&self.watcher.subscribers);
        let Some(of_directory) = subscribers.get_mut(&watch) else { return };
        of_directory.leave(self.number);
        if of_directory.is_empty() {
            subscribers.remove(&watch);
            // Fails where the directory is gone, and its watch with it.
            let _ = inotify::remove_watch(&self.watcher.inotify, watch);
        }
    }
}

/// Wakes whom events concern.
async fn deliver(events: AsyncFd<Arc<OwnedFd>>, subscribers: Arc<Subscribers>) {
    let mut buffer = [const { MaybeUninit::uninit() }; 4096];
    let mut reader = inotify::Reader::new(events.get_ref().clone(), &mut buffer);
    let mut wakes = Vec::new();
    while let Ok(mut ready) = events.readable().await {
        let mut is_drained = false;
        while !is_drained {
            {
                let subscribers = lock(&subscribers);
                loop {
                    match reader.next() {
                        Ok(event) => {
                            concerned(&subscribers, event.wd(), event.events(), event.file_name(), &mut wakes);
                        }
                        Err(Errno::INTR) => continue,
                        Err(Errno::AGAIN) => is_drained = true,
                        Err(error) => return tracing::warn!("file-system events end: {error}; logs are polled"),
                    }
                    if is_drained || reader.is_buffer_empty() {
                        break;
                    }
                }
            }
            // Without the lock, so that a wake may subscribe.
            wakes.drain(..).for_each(|wake: Wake| wake());
            if !is_drained {
                // However many events there are, those whom they have woken go on.
                tokio::task::yield_now().await;
            }
        }
        ready.clear_ready();
    }
}

/// Adds those whom an event concerns: of this watch, about this name in its directory or, without one, the directory itself.
fn concerned(
    subscribers: &HashMap<i32, OfDirectory>,
    watch: i32,
    what: ReadFlags,
    name: Option<&CStr>,
    wakes: &mut Vec<Wake>,
) {
    // Events were lost: anybody may have missed one.
    if what.contains(ReadFlags::QUEUE_OVERFLOW) {
        return wakes.extend(subscribers.values().flat_map(OfDirectory::everybody).cloned());
    }
    let Some(of_directory) = subscribers.get(&watch) else { return };
    match name {
        Some(name) => wakes.extend(of_directory.concerned(OsStr::from_bytes(name.to_bytes())).into_iter().cloned()),
        None => wakes.extend(of_directory.everybody().cloned()),
    }
}

/// A panic elsewhere leaves the map as it is between two statements, which is always whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn subscribe(watcher: &Arc<Watcher>, directory: &Path) -> (Subscription, UnboundedReceiver<()>) {
        let (sender, receiver) = unbounded_channel();
        let subscription = watcher.subscribe(directory, move || sender.send(()).unwrap_or_default());
        (subscription, receiver)
    }

    async fn is_woken(woken: &mut UnboundedReceiver<()>) {
        tokio::time::timeout(PATIENCE, woken.recv()).await.expect("an event comes").expect("somebody may wake");
    }

    #[tokio::test]
    async fn writing_wakes_all_subscribers_of_the_directory_also_after_one_has_left() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (first, _) = subscribe(&watcher, dir.path());
        let (_second, mut woken) = subscribe(&watcher, &dir.path().join("."));
        assert_eq!(lock(&watcher.subscribers).len(), 1, "one watch for both");
        drop(first);
        std::fs::write(dir.path().join("log.txt"), "a").unwrap();
        is_woken(&mut woken).await;
    }

    #[tokio::test]
    async fn reading_wakes_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log.txt");
        std::fs::write(&log, "a").unwrap();
        let watcher = Watcher::new().unwrap();
        let (_subscription, mut woken) = subscribe(&watcher, dir.path());
        assert_eq!(std::fs::read(&log).unwrap(), b"a");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        // Events come in order: what reading had caused would come before this.
        std::fs::create_dir(dir.path().join("marker")).unwrap();
        is_woken(&mut woken).await;
        assert!(woken.try_recv().is_err());
    }

    /// Who, of these logs in one directory, is woken by an event about a name.
    fn woken_by(logs: &[&'static str], what: ReadFlags, name: Option<&CStr>) -> Vec<&'static str> {
        let (sender, mut receiver) = unbounded_channel();
        let mut of_directory = OfDirectory::default();
        for log in logs.iter().copied() {
            let sender = sender.clone();
            of_directory.of(Some(OsStr::new(log))).push((1, Arc::new(move || sender.send(log).unwrap_or_default())));
        }
        let mut wakes = Vec::new();
        concerned(&HashMap::from([(7, of_directory)]), 7, what, name, &mut wakes);
        wakes.into_iter().for_each(|wake| wake());
        let mut woken: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
        woken.sort_unstable();
        woken
    }

    #[test]
    fn a_log_is_woken_by_itself_and_its_rotated_files_alone() {
        let logs = ["log.txt", "other.txt"];
        assert_eq!(woken_by(&logs, ReadFlags::MODIFY, Some(c"log.txt")), ["log.txt"]);
        assert_eq!(woken_by(&logs, ReadFlags::MODIFY, Some(c"log.txt.1")), ["log.txt"], "it may be written to yet");
        assert_eq!(woken_by(&logs, ReadFlags::MOVED_FROM, Some(c"other.txt")), ["other.txt"]);
        assert!(woken_by(&logs, ReadFlags::MODIFY, Some(c"model.pt")).is_empty());
    }

    #[test]
    fn what_concerns_the_directory_and_events_that_were_lost_wake_all() {
        let logs = ["log.txt", "other.txt"];
        assert_eq!(woken_by(&logs, ReadFlags::DELETE_SELF, None), logs);
        assert_eq!(woken_by(&logs, ReadFlags::QUEUE_OVERFLOW, None), logs);
    }

    #[tokio::test]
    async fn the_last_subscription_ends_the_watch() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        drop(subscribe(&watcher, dir.path()));
        assert!(lock(&watcher.subscribers).is_empty());
        let (_again, mut woken) = subscribe(&watcher, dir.path());
        std::fs::write(dir.path().join("log.txt"), "a").unwrap();
        is_woken(&mut woken).await;
    }

    #[tokio::test]
    async fn a_directory_that_is_not_there_is_left_to_the_poll() {
        let dir = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        let (subscription, mut woken) = subscribe(&watcher, &dir.path().join("none"));
        drop(subscription);
        assert!(woken.recv().await.is_none());
    }

    #[tokio::test]
    async fn a_watcher_that_is_dropped_lets_go_of_its_descriptor() {
        let watcher = Watcher::new().unwrap();
        let inotify = watcher.inotify.clone();
        drop(watcher);
        let alone = async {
            while Arc::strong_count(&inotify) > 1 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, alone).await.expect("its task ends");
    }
}
