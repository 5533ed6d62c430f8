//! A site's workspace as FLARE 2.9 has it, and its jobs.

use std::path::{Path, PathBuf};
use std::process::Command;

use fedtail_tests::{Place, Process, Target, append, fedtail};

/// The directory of a site's startup kit.
pub struct Workspace {
    pub directory: PathBuf,
}

/// A job in it.
pub struct Job {
    pub id: String,
    pub directory: PathBuf,
}

impl Workspace {
    pub fn new(place: &Place) -> Self {
        let directory = place.path("kit");
        for folder in ["startup", "local/custom", "transfer"] {
            std::fs::create_dir_all(directory.join(folder)).unwrap();
        }
        // The log of the site itself, which is no job's.
        append(&directory.join("log.txt"), "the client has started\n");
        Self { directory }
    }

    /// What the site has in its `local/resources.json`.
    pub fn settings(&self, text: &str) {
        let path = self.directory.join("local/resources.json");
        let next = path.with_extension("next");
        std::fs::write(&next, text).unwrap();
        std::fs::rename(next, path).unwrap();
    }

    /// Deploys a job with this configuration of its client, in FLARE's order.
    pub fn deploy(&self, id: &str, config: &str) -> Job {
        let directory = self.directory.join(id);
        let app = directory.join("app_site-1");
        std::fs::create_dir_all(app.join("custom")).unwrap();
        std::fs::create_dir_all(app.join("config")).unwrap();
        std::fs::write(app.join("config/config_fed_client.json"), config).unwrap();
        std::fs::write(directory.join("meta.json"), "{}").unwrap();
        Job { id: id.into(), directory }
    }

    /// `fedtail agent` on it.
    pub fn agent(&self, target: &Target, extra: &[&str]) -> Process {
        let mut command = fedtail(["agent", "--poll-interval", "200ms", "--workspace"]);
        command.arg(&self.directory).args(target.flags()).args(extra);
        let agent = Process::start("the agent", &mut command);
        agent.says("watching ");
        agent
    }

    /// A process that FLARE would have started for the job: with the arguments that its launcher gives it.
    pub fn worker(&self, job: &Job) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", "echo running; while :; do sleep 0.05; done", "python3", "-u"]);
        command.args(["-m", "nvflare.private.fed.app.client.worker_process", "-m"]).arg(&self.directory);
        command.args(["-w", "startup", "-n", &job.id, "-c", "site-1", "-g", "localhost:8002"]);
        let worker = Process::start("the worker", &mut command);
        worker.says("running");
        worker
    }
}

impl Job {
    pub fn log(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub fn config(&self) -> PathBuf {
        self.directory.join("app_site-1/config/config_fed_client.json")
    }
}

/// Makes a file old.
pub fn written_before(path: &Path, age: std::time::Duration) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - age).unwrap();
}
