//! What wakes somebody who waits for a commit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;

use super::Selection;
use crate::source::{Subscription, Watcher};
use crate::store::Reader;

/// What wakes a tail that follows. Beside it a slow poll is the net.
pub struct Wakes {
    pub(super) commits: watch::Receiver<u64>,
    pub(super) events: Option<Events>,
}

impl Wakes {
    /// The commits of the server in this process, from [`Server::commits`](crate::server::Server::commits).
    pub fn commits(commits: watch::Receiver<u64>) -> Self {
        Self { commits, events: None }
    }

    /// What a server in another process writes to the store's journals, as the file system tells it. Where it tells
    /// nothing, a warning says so and the poll is left.
    pub fn events(reader: &Reader, selection: &Selection) -> Self {
        let watcher = Watcher::new().inspect_err(|error| tracing::warn!("{error}")).ok();
        let (woken, commits) = watch::channel(0);
        let events = Events {
            watcher,
            woken: Arc::new(woken),
            store: reader.directory().to_owned(),
            journals: reader.journals(),
            selection: selection.clone(),
            subscriptions: BTreeMap::new(),
        };
        Self { commits, events: Some(events) }
    }
}

/// Keeps the directories watched in which a commit to a selected log, or such a log itself, can appear.
pub(super) struct Events {
    watcher: Option<Arc<Watcher>>,
    woken: Arc<watch::Sender<u64>>,
    store: PathBuf,
    journals: PathBuf,
    selection: Selection,
    subscriptions: BTreeMap<PathBuf, Subscription>,
}

impl Events {
    /// Watches directories that are new, and forgets those that are gone. Whatever appears from now on wakes; what had
    /// appeared before is seen by who looks after this. Blocks on files.
    pub(super) fn watch(&mut self) {
        self.subscriptions.retain(|directory, _| directory.is_dir());
        // What appears in a directory before it is watched wakes nobody: so each level is looked at once the level above
        // it is watched.
        self.subscribe(self.store.clone());
        self.subscribe(self.journals.clone());
        let job = self.journals.join(&self.selection.job);
        self.subscribe(job.clone());
        match &self.selection.site {
            Some(site) => self.subscribe(job.join(site)),
            None => directories(&job).into_iter().for_each(|site| self.subscribe(site)),
        }
    }

    fn subscribe(&mut self, directory: PathBuf) {
        let Some(watcher) = &self.watcher else { return };
        if self.subscriptions.contains_key(&directory) || !directory.is_dir() {
            return;
        }
        let woken = Arc::clone(&self.woken);
        let wake = move || woken.send_modify(|count| *count = count.wrapping_add(1));
        self.subscriptions.insert(directory.clone(), watcher.subscribe(&directory, wake));
    }
}

/// The directories in a directory; none if it is not there.
fn directories(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()).collect()
}
