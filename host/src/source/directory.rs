//! The directory of a log as the source sees it, and the real one.

use std::cell::{Ref, RefCell};
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, Metadata, MetadataExt, OpenOptions, OpenOptionsExt};
use std::os::unix::fs::{FileExt, MetadataExt as _};

/// What a look at a file tells of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stat {
    /// The device that it is on.
    pub device: u64,
    /// Its number there. Used again as soon as the file is gone and nobody holds it open.
    pub inode: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When its bytes changed last: wall-clock nanoseconds since the Unix epoch.
    pub modified_ns: u64,
    /// When its bytes or anything else of it changed last: wall-clock nanoseconds since the Unix epoch.
    pub changed_ns: u64,
}

impl Stat {
    /// Whether both are of one file, as far as the file system tells.
    pub(super) fn same_file(&self, other: &Stat) -> bool {
        (self.device, self.inode) == (other.device, other.inode)
    }

    /// Whether that is so, and nothing was written between the two.
    pub(super) fn is_unchanged(&self, other: &Stat) -> bool {
        self.same_file(other) && (self.size, self.modified_ns) == (other.size, other.modified_ns)
    }
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: OsString,
    /// The file that it names.
    pub stat: Stat,
}

/// The directory of the granted log. All that a source sees of the machine goes through this, so a simulation can be put
/// in its place.
pub trait Directory: Send {
    /// The regular files whose names are wanted, in any order. A file that vanishes on the way is left out.
    fn scan(&self, wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Vec<Entry>>;

    /// Opens a regular file for reading. Never waits, also where the name has become a pipe; that is an error.
    fn open(&self, name: &OsStr) -> io::Result<Box<dyn SourceFile>>;

    /// A value that is the same only if no name in the directory has changed since it was last asked for. None where that
    /// can't be told, which is always right.
    fn stamp(&self) -> io::Result<Option<u64>> {
        Ok(None)
    }
}

/// An open file. It stays readable after its name is gone.
pub trait SourceFile: Send {
    /// Looks at the file now.
    fn stat(&self) -> io::Result<Stat>;

    /// Reads at most `buf.len()` bytes from `offset`, and returns how many; 0 only at the end of the file.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize>;
}

/// Reads until the buffer is full or the file ends, and returns how many bytes that were.
pub(super) fn read_full(file: &dyn SourceFile, buf: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buf.len() {
        match file.read_at(&mut buf[filled..], offset + filled as u64)? {
            0 => break,
            n => filled += n,
        }
    }
    Ok(filled)
}

/// A directory of this machine. It reaches nothing outside of the directory, also not through symbolic links.
///
/// One that is deleted and made again at the same path is taken up again. One that is renamed stays the log's directory.
pub struct RealDirectory {
    /// Whatever the working directory becomes.
    path: PathBuf,
    dir: RefCell<Dir>,
}

impl RealDirectory {
    /// Opens the directory at `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let dir = RefCell::new(Dir::open_ambient_dir(&path, ambient_authority())?);
        Ok(Self { path, dir })
    }

    /// The directory as it is now; the deleted one, which is empty, while there is no other. Also tells what it looks like.
    fn now(&self) -> io::Result<(Ref<'_, Dir>, Metadata)> {
        let found = self.dir.borrow().dir_metadata()?;
        if found.nlink() > 0 {
            return Ok((self.dir.borrow(), found));
        }
        match Dir::open_ambient_dir(&self.path, ambient_authority()) {
            Ok(again) => *self.dir.borrow_mut() = again,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let dir = self.dir.borrow();
        let found = dir.dir_metadata()?;
        Ok((dir, found))
    }
}

/// How long a directory's change time must lie back before it proves that nothing changed since: the file system's clock
/// is coarse (2 s on the coarsest in use), so a change just after a look can carry the time from before it.
const SETTLED: Duration = Duration::from_secs(3);

impl Directory for RealDirectory {
    fn scan(&self, wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        let (dir, _) = self.now()?;
        for entry in dir.entries()? {
            let name = entry?.file_name();
            if !wanted(&name) {
                continue;
            }
            match dir.metadata(&name) {
                Ok(metadata) if metadata.is_file() => {
                    let stat = Stat {
                        device: metadata.dev(),
                        inode: metadata.ino(),
                        size: metadata.len(),
                        modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
                        changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
                    };
                    entries.push(Entry { name, stat });
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                // A link that leads out of the directory: not ours to read.
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    tracing::debug!(name = %name.display(), %error, "a name beside the log can't be looked at");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(entries)
    }

    fn open(&self, name: &OsStr) -> io::Result<Box<dyn SourceFile>> {
        let mut options = OpenOptions::new();
        // Without this, opening a pipe that was put in the log's place waits for its writer.
        options.read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
        let file = self.dir.borrow().open_with(name, &options)?.into_std();
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(Box::new(RealFile(file)))
    }

    fn stamp(&self) -> io::Result<Option<u64>> {
        let (_, metadata) = self.now()?;
        let changed = nanoseconds(metadata.ctime(), metadata.ctime_nsec());
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let settled = Duration::from_nanos(changed).checked_add(SETTLED).is_some_and(|at| at < now);
        Ok(settled.then_some(changed))
    }
}

struct RealFile(std::fs::File);

impl SourceFile for RealFile {
    fn stat(&self) -> io::Result<Stat> {
        let metadata = self.0.metadata()?;
        Ok(Stat {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        })
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        loop {
            match self.0.read_at(buf, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }
}

/// A file system's time; what lies before 1970 counts as 1970.
fn nanoseconds(seconds: i64, nanoseconds: i64) -> u64 {
    let seconds = u64::try_from(seconds).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(nanoseconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dir: &Path) -> Vec<OsString> {
        let mut names: Vec<_> =
            RealDirectory::open(dir).unwrap().scan(&|_| true).unwrap().into_iter().map(|entry| entry.name).collect();
        names.sort();
        names
    }

    #[test]
    fn a_scan_lists_regular_files_alone() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log.txt"), "a").unwrap();
        std::fs::create_dir(dir.path().join("log.txt.d")).unwrap();
        assert_eq!(names(dir.path()), ["log.txt"]);
    }

    #[test]
    fn a_link_within_the_directory_is_followed_and_one_that_leads_out_is_not() {
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("log.2"), "a").unwrap();
        std::os::unix::fs::symlink("log.2", dir.path().join("log")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), dir.path().join("log.1")).unwrap();
        assert_eq!(names(dir.path()), ["log", "log.2"]);
        assert!(RealDirectory::open(dir.path()).unwrap().open(OsStr::new("log.1")).is_err());
    }

    #[test]
    fn a_directory_that_is_deleted_and_made_again_is_taken_up_again() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let directory = RealDirectory::open(&logs).unwrap();
        std::fs::remove_dir(&logs).unwrap();
        assert!(directory.scan(&|_| true).unwrap().is_empty(), "deleted");
        std::fs::create_dir(&logs).unwrap();
        std::fs::write(logs.join("log.txt"), "a").unwrap();
        assert_eq!(directory.stamp().unwrap(), None);
        assert_eq!(directory.scan(&|_| true).unwrap().len(), 1);
        assert!(directory.open(OsStr::new("log.txt")).is_ok());
    }

    #[test]
    fn opening_a_pipe_is_an_error_and_does_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let mode = rustix::fs::Mode::RUSR;
        rustix::fs::mknodat(rustix::fs::CWD, dir.path().join("log"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let error = RealDirectory::open(dir.path()).unwrap().open(OsStr::new("log")).map(|_| ()).unwrap_err();
        assert_eq!(error.to_string(), "it is not a regular file");
    }

    #[test]
    fn a_directory_that_changed_just_now_proves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(RealDirectory::open(dir.path()).unwrap().stamp().unwrap(), None);
    }
}
