//! The kernel's events, read by a task.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ::inotify::{EventMask, Inotify, WatchDescriptor, WatchMask, Watches};
use tokio::runtime::Handle;
use tokio_stream::StreamExt;

use super::{NotWatched, Subscribers, lock};

/// What a log's directory is watched for. Not for opening and reading, which a look itself does.
const CHANGES: WatchMask = WatchMask::MODIFY
    .union(WatchMask::CREATE)
    .union(WatchMask::DELETE)
    .union(WatchMask::MOVE)
    .union(WatchMask::ATTRIB)
    .union(WatchMask::DELETE_SELF)
    .union(WatchMask::MOVE_SELF)
    .union(WatchMask::ONLYDIR);

/// Room for what is read at a time: some hundred events.
const BUFFER: usize = 16 << 10;

type Directories = Arc<Mutex<HashMap<WatchDescriptor, PathBuf>>>;

/// The events of the watched directories.
pub struct Events {
    watches: Watches,
    directories: Directories,
    task: tokio::task::AbortHandle,
}

impl Events {
    /// Starts to deliver, on the current runtime.
    pub fn deliver_to(subscribers: Arc<Subscribers>) -> Result<Self, String> {
        let words = |error: io::Error| match error.raw_os_error().map(rustix::io::Errno::from_raw_os_error) {
            Some(rustix::io::Errno::MFILE) => {
                "this user has no more of them; raise fs.inotify.max_user_instances".into()
            }
            _ => error.to_string(),
        };
        let runtime =
            Handle::try_current().map_err(|_| "they are read by a task, and there is no tokio runtime here")?;
        let _entered = runtime.enter();
        let inotify = Inotify::init().map_err(words)?;
        let watches = inotify.watches();
        let stream = inotify.into_event_stream([0; BUFFER]).map_err(words)?;
        let directories = Directories::default();
        let task = runtime.spawn(deliver(stream, directories.clone(), subscribers)).abort_handle();
        Ok(Self { watches, directories, task })
    }

    /// Watches a directory. Once watched, it stays so under whatever name.
    pub fn watch(&mut self, directory: &Path) -> Result<(), NotWatched> {
        // Before the first event of it can be looked up.
        let mut directories = lock(&self.directories);
        let watch =
            self.watches.add(directory, CHANGES).map_err(|error| match rustix::io::Errno::from_io_error(&error) {
                Some(rustix::io::Errno::NOSPC) => NotWatched::NoneLeft,
                _ => NotWatched::Other(error.to_string()),
            })?;
        directories.insert(watch, directory.into());
        Ok(())
    }

    /// No longer watches it.
    pub fn unwatch(&mut self, directory: &Path) {
        let mut directories = lock(&self.directories);
        let watch = directories.iter().find(|(_, known)| *known == directory).map(|(watch, _)| watch.clone());
        if let Some(watch) = watch {
            directories.remove(&watch);
            // Fails where the directory is gone, and its watch with it.
            let _ = self.watches.remove(watch);
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn deliver(
    mut stream: ::inotify::EventStream<[u8; BUFFER]>,
    directories: Directories,
    subscribers: Arc<Subscribers>,
) {
    while let Some(event) = stream.next().await {
        match event {
            Ok(event) if event.mask.contains(EventMask::Q_OVERFLOW) => subscribers.lost(),
            Ok(event) => {
                let directory = lock(&directories).get(&event.wd).cloned();
                subscribers.changed(directory.as_deref());
            }
            Err(error) => {
                tracing::warn!(%error, "file-system events are no longer read; logs are looked at in the poll interval only");
                return;
            }
        }
    }
}
