//! Notices when policies change, and reads them once they have settled.
//!
//! A file is copied in pieces, an editor writes several times, and a component and its signature arrive one after the
//! other. So what changed is read when it has stayed the same for a while; until then, and if it can't be taken, what was
//! in use stays in use.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::PolicySet;
use crate::policy::admission::Linked;
use crate::source::Watcher;

/// For how long files must stay the same before they are read.
const SETTLE: Duration = Duration::from_millis(300);
/// How often they are looked at when no event came: the net under events that get lost.
const POLL: Duration = Duration::from_secs(5);

/// What files look like from outside.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stamps(Vec<(PathBuf, Option<Stamp>)>);

/// Links are followed: some systems replace a whole directory of files by changing one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    changed: (i64, i64),
    modified: (i64, i64),
}

impl Stamps {
    /// Looks at these files.
    pub fn of(files: Vec<PathBuf>) -> Self {
        let look = |file: PathBuf| {
            let stamp = std::fs::metadata(&file).ok().map(|found| Stamp {
                device: found.dev(),
                inode: found.ino(),
                size: found.size(),
                changed: (found.ctime(), found.ctime_nsec()),
                modified: (found.mtime(), found.mtime_nsec()),
            });
            (file, stamp)
        };
        Self(files.into_iter().map(look).collect())
    }

    /// Looks at the same files again.
    pub fn look_again(&self) -> Self {
        Self::of(self.0.iter().map(|(file, _)| file.clone()).collect())
    }

    /// What the files of `named` look like: as they are here, if they are, else as they are there. If nothing is named,
    /// these files are all that is known.
    pub fn now_of(self, named: Self) -> Self {
        if named.0.is_empty() {
            return self;
        }
        let earlier = |file: &PathBuf| self.0.iter().find(|(known, _)| known == file).map(|(_, stamp)| *stamp);
        Self(
            named
                .0
                .into_iter()
                .map(|(file, stamp)| {
                    let stamp = earlier(&file).unwrap_or(stamp);
                    (file, stamp)
                })
                .collect(),
        )
    }
}

impl<P: Linked> PolicySet<P> {
    /// Watches the policies until the set is dropped, on the current tokio runtime. Built-in ones don't change.
    pub fn watch(self: &Arc<Self>, watcher: &Arc<Watcher>) {
        let Some(directory) = self.origin.directory() else { return };
        let changed = Arc::new(Notify::new());
        let wake = changed.clone();
        let subscription = watcher.subscribe(directory, move || wake.notify_one());
        if self.watched.set(subscription).is_ok() {
            tokio::spawn(follow(Arc::downgrade(self), changed));
        }
    }
}

async fn follow<P: Linked>(set: Weak<PolicySet<P>>, changed: Arc<Notify>) {
    loop {
        // No event comes any more when the set is gone; the poll finds that out.
        let _ = tokio::time::timeout(POLL, changed.notified()).await;
        let Some(set) = set.upgrade() else { return };
        let mut before = {
            let read = super::lock(&set.read);
            read.clone()
        };
        loop {
            let looked = before.look_again();
            if looked == before {
                break;
            }
            before = settled(looked).await;
            let (reading, as_settled) = (set.clone(), before.clone());
            let done = tokio::task::spawn_blocking(move || reading.reload_settled(&as_settled)).await;
            if done.unwrap_or(true) {
                break;
            }
        }
    }
}

/// Waits until the files stay as they are.
async fn settled(mut stamps: Stamps) -> Stamps {
    loop {
        tokio::time::sleep(SETTLE).await;
        let now = stamps.look_again();
        if now == stamps {
            return now;
        }
        stamps = now;
    }
}
