//! Where things are in a store.
//!
//! ```text
//! STORE/<job>/<site>/<log>              the bytes of a log
//! STORE/.fedtail/<job>/<site>/<log>     its journal
//! STORE/.fedtail/.lock                  held while a server runs
//! STORE/.fedtail/.new/                  journals that are being written and don't count yet
//! ```
//!
//! A job's name does not begin with a dot, so no log can have a name of ours, whatever jobs, sites and logs are called.

use std::path::{Path, PathBuf};

use crate::names::{JobName, LogKey, LogName, SiteName};

use super::disk::Disk;

/// The directory of what is the store's own.
pub(super) const OWN: &str = ".fedtail";
/// The file whose lock a running server holds.
pub(super) const LOCK: &str = ".fedtail/.lock";
/// The directory of unfinished journals.
pub(super) const NEW: &str = ".fedtail/.new";

/// The data file of a log, from the store's root.
pub(super) fn data(key: &LogKey) -> PathBuf {
    [key.job.as_ref(), key.site.as_ref(), key.log.as_ref()].iter().collect()
}

/// The journal of a log, from the store's root.
pub(super) fn journal(key: &LogKey) -> PathBuf {
    Path::new(OWN).join(data(key))
}

/// All logs that have a journal, in order. Entries whose names no log can have are somebody else's and are passed over.
pub(super) fn logs(disk: &dyn Disk) -> std::io::Result<Vec<LogKey>> {
    let mut keys = Vec::new();
    let own = Path::new(OWN);
    for job in names(disk, own)? {
        let Ok(job) = JobName::new(job) else { continue };
        keys.append(&mut logs_of(disk, &job)?);
    }
    keys.sort();
    Ok(keys)
}

/// The same of one job.
pub(super) fn logs_of(disk: &dyn Disk, job: &JobName) -> std::io::Result<Vec<LogKey>> {
    let mut keys = Vec::new();
    for site in names(disk, &Path::new(OWN).join(job))? {
        let Ok(site) = SiteName::new(site) else { continue };
        keys.append(&mut logs_of_site(disk, job, &site)?);
    }
    keys.sort();
    Ok(keys)
}

/// The same of one site of a job, in no order.
pub(super) fn logs_of_site(disk: &dyn Disk, job: &JobName, site: &SiteName) -> std::io::Result<Vec<LogKey>> {
    let logs = names(disk, &Path::new(OWN).join(job).join(site))?.into_iter().filter_map(|log| LogName::new(log).ok());
    Ok(logs.map(|log| LogKey { job: job.clone(), site: site.clone(), log }).collect())
}

/// The names in a directory. None where there is no such directory: it can go between two looks, and a store that nobody
/// has written to has none.
fn names(disk: &dyn Disk, directory: &Path) -> std::io::Result<Vec<String>> {
    use std::io::ErrorKind::{NotADirectory, NotFound};
    match disk.list(directory) {
        Ok(names) => Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect()),
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
