//! Files: where a test has its own, what is in them, and waiting for what is to come.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::PATIENCE;
use crate::oracle::difference;

/// A directory of one test, removed after it: `store` for a server, anything else for a site.
pub struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    /// Makes an empty one.
    #[expect(clippy::new_without_default, reason = "it makes a directory, which no default should")]
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a temporary directory") }
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The store of the test's server.
    pub fn store(&self) -> PathBuf {
        self.path("store")
    }

    /// Where the store has a log.
    pub fn stored(&self, job: &str, site: &str, log: &str) -> PathBuf {
        self.store().join(job).join(site).join(log)
    }
}

/// Adds to a file, as a job does; makes it if it is not there.
pub fn append(path: &Path, text: impl AsRef<[u8]>) {
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_ref())).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

/// Waits until the file has exactly this content.
///
/// It looks again and again: the file, and the directories that it is in, may not be there yet, and for that there is
/// no event that could be waited for.
pub fn eventually_holds(path: &Path, content: impl AsRef<[u8]>) {
    let content = content.as_ref();
    let start = Instant::now();
    loop {
        let found = std::fs::read(path);
        match &found {
            Ok(found) if found == content => return,
            _ if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            Ok(found) => panic!("{}: {}", path.display(), difference(found, content)),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

/// All files below a directory with their content, without the lock that a server holds.
pub fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for path in listing(directory) {
        if path.is_file() && path.file_name().is_some_and(|name| name != ".lock") {
            let content = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            found.insert(path, content);
        }
    }
    found
}

/// All paths below a directory, in order.
pub fn listing(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        // One that is not there has nothing in it.
        let Ok(entries) = std::fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.expect("an entry of a directory").path();
            if path.is_dir() {
                directories.push(path.clone());
            }
            found.push(path);
        }
    }
    found.sort();
    found
}
