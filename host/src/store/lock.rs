//! The lock that a running server holds on its store. It goes with the process, however that ends.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;
use std::time::Duration;

use super::disk::{Open, RealDisk};
use super::error::StoreError;
use super::layout;

/// Somebody who looks whether a server runs holds the lock for a moment. So it is tried this often, this far apart,
/// before it counts as held.
const TRIES: usize = 10;
const BETWEEN: Duration = Duration::from_millis(20);

/// A held lock.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the store at `root`, or says who has it.
    pub(super) fn take(disk: &RealDisk, root: &Path) -> Result<Self, StoreError> {
        let failed = |action| move |source| StoreError::Io { action, path: root.join(layout::LOCK), source };
        let mut file = disk.open_file(Path::new(layout::LOCK), Open::Create).map_err(failed("open"))?;
        for _ in 0..TRIES {
            match file.try_lock() {
                Ok(()) => {
                    write_holder(&mut file).map_err(failed("write"))?;
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN),
                Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
            }
        }
        let mut holder = String::new();
        let read = file.take(32).read_to_string(&mut holder);
        let holder = read.ok().map(|_| holder.trim().to_owned()).filter(|holder| !holder.is_empty());
        Err(StoreError::Locked { path: root.to_owned(), holder })
    }

    /// Whether somebody holds the lock.
    pub(super) fn is_held(disk: &RealDisk) -> bool {
        // Shared, so that two who look at once don't take each other for a server. It is let go with the file.
        let Ok(file) = disk.open_file(Path::new(layout::LOCK), Open::Read) else { return false };
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
    }
}

/// Notes who holds the lock, for the words that refuse the next one.
fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}
