//! A site's workspace: the directory of its startup kit, in which FLARE makes a directory for each job.

use std::path::{Path, PathBuf};

/// What begins the name of the directory with a job's application, before the site's name.
const APP: &str = "app_";
/// The one job of FLARE's simulator, which writes its logs into the site's directory.
const SIMULATED: &str = "simulate_job";

/// Where a site's jobs are.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The directory with `startup` and `local`.
    pub directory: PathBuf,
    /// Where each job has a directory for its logs, if it is another one: what FLARE was given as NVFL_LOG_ROOT, and in it
    /// the site.
    pub log_root: Option<PathBuf>,
}

/// A job's directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDirectory {
    /// Its id, which is the directory's name.
    pub id: String,
    pub directory: PathBuf,
    /// The client's configuration, where it is JSON; it may not be there.
    pub config: PathBuf,
    pub logs: PathBuf,
}

impl Workspace {
    /// The jobs that are there, known by their shape: a directory with one in it that is called app_SITE. None is one that a
    /// link leads to.
    pub fn jobs(&self) -> std::io::Result<Vec<JobDirectory>> {
        let mut jobs = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            // A job that goes away between two looks is none.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let (true, Ok(id)) = (is_directory, entry.file_name().into_string())
                && let Some(app) = app(&entry.path())
            {
                jobs.push(self.job(id, &app));
            }
        }
        jobs.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(jobs)
    }

    fn job(&self, id: String, app: &Path) -> JobDirectory {
        let directory = self.directory.join(&id);
        let logs = match &self.log_root {
            Some(root) => root.join(&id),
            None if id == SIMULATED => self.directory.clone(),
            None => directory.clone(),
        };
        JobDirectory { config: app.join("config/config_fed_client.json"), id, directory, logs }
    }
}

/// The directory of a job's application.
fn app(job: &Path) -> Option<PathBuf> {
    std::fs::read_dir(job).ok()?.flatten().find_map(|entry| {
        let name = entry.file_name();
        let is_app =
            name.as_encoded_bytes().starts_with(APP.as_bytes()) && entry.file_type().is_ok_and(|kind| kind.is_dir());
        is_app.then(|| entry.path())
    })
}

/// The workspace that a job's configuration is in: that of WORKSPACE/JOB/app_SITE/config/FILE, beside the site's `local`.
pub fn of_config(config: &Path) -> Option<PathBuf> {
    let config = std::path::absolute(config).ok()?;
    let app = config.parent()?.parent()?;
    let is_deployed = app.file_name()?.to_str()?.starts_with(APP);
    let workspace = app.parent()?.parent()?;
    (is_deployed && workspace.join("local").is_dir()).then(|| workspace.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(workspace: &Workspace) -> Vec<String> {
        workspace.jobs().unwrap().into_iter().map(|job| job.id).collect()
    }

    /// The kit's own directories are none, nor is a link to a job elsewhere.
    #[test]
    fn jobs_are_known_by_their_shape() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("site-1");
        for path in ["startup", "local/custom", "b/app_site-1/config", "a/app_site-1", "transfer/x", "c"] {
            std::fs::create_dir_all(directory.join(path)).unwrap();
        }
        std::fs::create_dir_all(root.path().join("elsewhere/app_site-1")).unwrap();
        std::os::unix::fs::symlink("../elsewhere", directory.join("d")).unwrap();
        std::fs::write(directory.join("c/app_site-1"), "a file").unwrap();
        let workspace = Workspace { directory: directory.clone(), log_root: None };
        assert_eq!(ids(&workspace), ["a", "b"]);
        let job = workspace.jobs().unwrap().remove(1);
        assert_eq!(job.logs, directory.join("b"));
        assert_eq!(of_config(&job.config), Some(directory.clone()));
        assert_eq!(of_config(&directory.join("b/app/config/config_fed_client.json")), None, "not deployed");

        let elsewhere = Workspace { directory, log_root: Some("/logs/site-1".into()) };
        assert_eq!(elsewhere.jobs().unwrap()[0].logs, Path::new("/logs/site-1/a"));
    }

    #[test]
    fn the_simulators_job_has_its_logs_in_the_sites_directory() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("simulate_job/app_site-1")).unwrap();
        let workspace = Workspace { directory: root.path().into(), log_root: None };
        assert_eq!(workspace.jobs().unwrap()[0].logs, root.path());
    }
}
