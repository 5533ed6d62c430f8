//! A site's workspace: the directory of its startup kit, in which FLARE makes a directory for each job.

use std::path::{Path, PathBuf};

/// What begins the name of the directory with a job's application, before the site's name.
const APP: &str = "app_";

/// The workspace that a job's configuration is in: that of WORKSPACE/JOB/app_SITE/config/FILE.
pub fn of_config(config: &Path) -> Option<PathBuf> {
    let config = std::path::absolute(config).ok()?;
    let app = config.parent()?.parent()?;
    let is_deployed = app.file_name()?.to_str()?.starts_with(APP);
    app.parent()?.parent().filter(|_| is_deployed).map(Path::to_owned)
}
