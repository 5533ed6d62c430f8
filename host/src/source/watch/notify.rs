//! Events where the kernel's own are not read here: by a thread of the `notify` library.

use std::path::Path;
use std::sync::Arc;

use ::notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::{NotWatched, Subscribers};

/// The events of the watched directories.
pub struct Events(RecommendedWatcher);

impl Events {
    /// Starts to deliver.
    pub fn deliver_to(subscribers: Arc<Subscribers>) -> Result<Self, String> {
        let watcher = ::notify::recommended_watcher(move |event| deliver(event, &subscribers));
        watcher.map(Self).map_err(|error| error.to_string())
    }

    /// Watches a directory.
    pub fn watch(&mut self, directory: &Path) -> Result<(), NotWatched> {
        self.0.watch(directory, RecursiveMode::NonRecursive).map_err(|error| match error.kind {
            ::notify::ErrorKind::MaxFilesWatch => NotWatched::NoneLeft,
            _ => NotWatched::Other(error.to_string()),
        })
    }

    /// No longer watches it.
    pub fn unwatch(&mut self, directory: &Path) {
        // Fails where the directory is gone, and its watch with it.
        let _ = self.0.unwatch(directory);
    }
}

fn deliver(event: ::notify::Result<Event>, subscribers: &Subscribers) {
    match &event {
        Ok(event) if matches!(event.kind, EventKind::Access(_)) && !event.need_rescan() => {}
        Ok(event) if !event.need_rescan() && !event.paths.is_empty() => {
            let directories = event.paths.iter().flat_map(|path| [Some(path.as_path()), path.parent()]);
            subscribers.changed(directories.flatten());
        }
        // Events were lost.
        _ => subscribers.lost(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use ::notify::event::{AccessKind, AccessMode, Flag, ModifyKind};

    use super::super::{Wake, lock};
    use super::*;

    fn subscribed(directory: &Path) -> (Arc<Subscribers>, Receiver<()>) {
        let subscribers = Arc::new(Subscribers::default());
        let (sender, woken) = channel();
        let wake: Wake = Arc::new(move || sender.send(()).unwrap_or_default());
        lock(&subscribers.by_directory).insert(directory.into(), vec![(1, wake)]);
        (subscribers, woken)
    }

    #[test]
    fn writing_wakes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().canonicalize().unwrap();
        let (subscribers, woken) = subscribed(&path);
        let mut events = Events::deliver_to(subscribers).unwrap();
        assert!(events.watch(&path).is_ok());
        std::fs::write(path.join("log.txt"), "a").unwrap();
        woken.recv_timeout(Duration::from_secs(20)).unwrap();
        events.unwatch(&path);
    }

    #[test]
    fn reading_wakes_nobody_and_lost_events_wake_all() {
        let (subscribers, woken) = subscribed(Path::new("/logs"));
        let log = |kind| Ok(Event::new(kind).add_path("/logs/log.txt".into()));
        deliver(log(EventKind::Access(AccessKind::Open(AccessMode::Any))), &subscribers);
        deliver(log(EventKind::Access(AccessKind::Close(AccessMode::Read))), &subscribers);
        deliver(Ok(Event::new(EventKind::Any).add_path("/elsewhere/log.txt".into())), &subscribers);
        assert_eq!(woken.try_iter().count(), 0);
        deliver(log(EventKind::Modify(ModifyKind::Any)), &subscribers);
        assert_eq!(woken.try_iter().count(), 1);
        deliver(Ok(Event::new(EventKind::Other).set_flag(Flag::Rescan)), &subscribers);
        deliver(Err(::notify::Error::generic("overflow")), &subscribers);
        assert_eq!(woken.try_iter().count(), 2);
    }
}
