//! Debian's logrotate, which the tests rotate a log with as it is rotated in use.

use std::path::Path;

use anyhow::{Context, Result};

use crate::apt::Apt;
use crate::process::on_path;

/// Sees that it is there, and installs it where it is not. An error says why it can't be had.
pub fn install() -> Result<()> {
    // Who is not root has no such folder on the PATH.
    if Path::new("/usr/sbin/logrotate").exists() || on_path("logrotate").is_some() {
        return Ok(());
    }
    println!("setup: installing logrotate, for the tests of rotation");
    Apt::new()
        .and_then(|mut apt| apt.install(&["logrotate"]))
        .context("logrotate is not installed (on Debian: apt-get install logrotate)")
}
