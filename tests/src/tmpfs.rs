//! Small file systems of a test's own.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system in memory with so much room and no more. Unmounted when it is dropped.
pub struct Tmpfs {
    path: PathBuf,
}

impl Tmpfs {
    /// Mounts one at a directory, which is made. None where this user may not, which is said.
    pub fn mount(path: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        match mount(&["-t", "tmpfs", "-o", options, "none"], path) {
            Ok(()) => Some(Self { path: path.into() }),
            Err(words) => {
                println!("skipped: no file system can be mounted here: {words}");
                None
            }
        }
    }

    /// Mounts it anew with other options.
    pub fn remount(&self, options: &str) {
        mount(&["-o", &format!("remount,{options}")], &self.path).unwrap_or_else(|words| panic!("{words}"));
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that a failed test leaves behind has its files open for another moment.
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

fn mount(arguments: &[&str], path: &Path) -> Result<(), String> {
    let output = Command::new("mount").args(arguments).arg(path).output().map_err(|e| e.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}
