//! The file operations that the store is made of, and nothing else: a simulated disk can stand in for the real one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use cap_std::ambient_authority;
use cap_std::fs::{Dir, DirBuilder, DirBuilderExt, OpenOptions, OpenOptionsExt};
use rustix::fs::{FallocateFlags, OFlags, Timespec, Timestamps};

/// What is made is the owner's to write and its group's to read (the user's mask can take more away): an operator in the
/// group can follow the logs with `tail -f` and list them, which reads the journals; anybody else on the machine sees
/// nothing, since a log can tell about the data that it was made with.
const FILE_MODE: u32 = 0o640;
const DIRECTORY_MODE: u32 = 0o750;

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    /// To read; it must be there.
    Read,
    /// To read and write; it must be there.
    Write,
    /// To read and write; it is made, empty, if it is not there.
    Create,
}

/// What a disk says about an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// Bytes.
    pub len: u64,
    /// Which file it is: another one under the same name has another number while this one is held open.
    pub inode: u64,
    /// When it was last written to, or [`DiskFile::touch`]ed.
    pub modified: SystemTime,
}

/// A directory with all that is in it. Paths are relative to it and can't leave it.
pub(crate) trait Disk: Send + Sync {
    /// Opens a file. Never through a symbolic link, and only a regular one.
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>>;
    /// Makes a directory and those above it; well if they are there.
    fn create_directories(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory last: what was made, renamed or removed in it before.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Gives a file another name, in one step and in place of what had that name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file's name.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory.
    fn list(&self, path: &Path) -> io::Result<Vec<OsString>>;
    /// What [`DiskFile::status`] would say of the file that has this name now.
    fn status(&self, path: &Path) -> io::Result<Status>;
}

/// An open file.
pub(crate) trait DiskFile: Send + Sync {
    /// Reads up to the buffer's length; 0 at the end of the file.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of the buffers, one behind the other. After an error any part of it may be written.
    fn write_at(&self, buffers: &mut [IoSlice<'_>], at: u64) -> io::Result<()>;
    /// Length and identity.
    fn status(&self) -> io::Result<Status>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes sure that the file has room, which reads as zeros, up to this length.
    fn allocate(&self, len: u64) -> io::Result<()>;
    /// Makes what was written last.
    fn sync(&self) -> io::Result<()>;
    /// Sets when the file was last written to.
    fn touch(&self, at: SystemTime) -> io::Result<()>;
}

/// A directory of this machine.
pub(crate) struct RealDisk {
    root: Dir,
}

impl RealDisk {
    /// Opens the directory; `create` makes it, and those above it, if it is not there.
    pub(crate) fn open(root: &Path, create: bool) -> io::Result<Self> {
        if create {
            use std::os::unix::fs::DirBuilderExt as _;
            std::fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(root)?;
        }
        Ok(Self { root: Dir::open_ambient_dir(root, ambient_authority())? })
    }

    /// Opens a file of ours.
    pub(crate) fn open_file(&self, path: &Path, how: Open) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(how != Open::Read).create(how == Open::Create).mode(FILE_MODE);
        // Not blocking: a pipe that somebody put here would hold us until it has a writer.
        options.custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32);
        let file = self.root.open_with(path, &options)?.into_std();
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
        }
        Ok(file)
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, how: Open) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.open_file(path, how)?))
    }

    fn create_directories(&self, path: &Path) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        builder.mode(DIRECTORY_MODE);
        let mut directory = std::path::PathBuf::new();
        for component in path.components() {
            directory.push(component);
            match self.root.create_dir_with(&directory, &builder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        // Not `open_dir`, which gives a handle that can't be flushed.
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(OFlags::DIRECTORY.bits() as i32);
        self.root.open_with(path, &options)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.root.rename(from, &self.root, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.root.remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<OsString>> {
        self.root.read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn status(&self, path: &Path) -> io::Result<Status> {
        use cap_std::fs::MetadataExt;
        let metadata = self.root.symlink_metadata(path)?;
        Ok(Status { len: metadata.len(), inode: metadata.ino(), modified: metadata.modified()?.into_std() })
    }
}

impl DiskFile for File {
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match FileExt::read_at(self, buffer, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_at(&self, mut buffers: &mut [IoSlice<'_>], mut at: u64) -> io::Result<()> {
        // What one call takes at most; `pwritev` refuses more.
        const BUFFERS: usize = 1024;
        IoSlice::advance_slices(&mut buffers, 0);
        while !buffers.is_empty() {
            match rustix::io::pwritev(self, &buffers[..buffers.len().min(BUFFERS)], at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    at += written as u64;
                    IoSlice::advance_slices(&mut buffers, written);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn status(&self) -> io::Result<Status> {
        let metadata = self.metadata()?;
        Ok(Status { len: metadata.len(), inode: metadata.ino(), modified: metadata.modified()? })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        File::set_len(self, len)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        let has = self.metadata()?.len();
        if has >= len {
            return Ok(());
        }
        match rustix::fs::fallocate(self, FallocateFlags::empty(), has, len - has) {
            // Not every file system can reserve; zeros that are written take room as well.
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {
                let zeros = vec![0; (len - has) as usize];
                DiskFile::write_at(self, &mut [IoSlice::new(&zeros)], has)
            }
            result => Ok(result?),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn touch(&self, at: SystemTime) -> io::Result<()> {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let at = Timespec { tv_sec: since.as_secs() as i64, tv_nsec: since.subsec_nanos().into() };
        let times =
            Timestamps { last_access: Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT }, last_modification: at };
        Ok(rustix::fs::futimens(self, &times)?)
    }
}
