//! Replacing a file at once.

use std::io::{Error, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

/// Gives a file a new content by a rename, so that nobody ever reads half of it. Its mode and its owner stay; where the path
/// is a symbolic link, the file that it leads to is replaced and the link stays.
///
/// # Errors
///
/// The file is as it was: it or its directory can't be written, or its owner could not be kept.
pub fn replace(path: &Path, text: &str) -> Result<(), Error> {
    let path = path.canonicalize()?;
    let found = path.metadata()?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    // The file is for those who read the old one, from the moment on when it has its name.
    let mut new = tempfile::Builder::new().prefix(".fedtail-").tempfile_in(directory)?;
    let made = new.as_file().metadata()?;
    if (made.uid(), made.gid()) != (found.uid(), found.gid()) {
        fchown(new.as_file(), Some(found.uid()), Some(found.gid()))
            .map_err(|e| Error::new(e.kind(), format!("its owner cannot be kept ({e}): run this as its owner")))?;
    }
    new.as_file().set_permissions(found.permissions())?;
    new.write_all(text.as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    /// Through a link too: the file behind it is another one with the same mode, the link is the same, nothing else is left.
    #[test]
    fn the_file_is_another_one_with_the_same_mode_and_a_link_stays_a_link() {
        let root = tempfile::tempdir().unwrap();
        let (file, link) = (root.path().join("file"), root.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        let before = file.metadata().unwrap();
        replace(&link, "new").unwrap();
        let after = file.metadata().unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
        assert_ne!(after.ino(), before.ino());
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("file"));
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_not_there_is_not_made() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(replace(&root.path().join("none"), "x").unwrap_err().kind(), std::io::ErrorKind::NotFound);
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }
}
