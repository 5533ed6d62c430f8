//! The jobs of a workspace: finds them, begins their streams, and ends these when a job is over or the site says no.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fedtail::names::JobName;
use fedtail::site::{LogFile, Site};
use fedtail::source::{Subscription, Watcher};
use tokio::sync::{Notify, mpsc};

use super::job::Job;
use super::selection::Pattern;
use super::sending::{Ended, Sending};
use crate::escape::escaped;
use crate::exit::{Exit, Failure};
use crate::flare::{self, JobConfig, JobDirectory, Permission, Workspace, worker};
use crate::out;

/// Between two looks at all processes of the machine.
const PROCESSES: Duration = Duration::from_secs(1);

/// What is to be streamed, and for how long.
pub struct Terms {
    pub patterns: Vec<Pattern>,
    /// How long a job whose process can't be seen may write nothing.
    pub quiet: Duration,
    /// How long a job that was there at the start may have written nothing.
    pub max_age: Duration,
    /// How long a stream may take to end; none: for ever.
    pub finish_timeout: Option<Duration>,
}

pub struct Jobs {
    site: Site,
    workspace: Workspace,
    terms: Terms,
    known: BTreeMap<String, Job>,
    /// Those that were there at the start, and were not looked at yet.
    present: BTreeSet<String>,
    /// Those of which all is said, and with which nothing is to be done.
    passed_over: HashSet<String>,
    /// What the site says of streaming its logs.
    permission: Permission,
    /// Those whose process runs, and when that was seen.
    workers: (HashSet<String>, Instant),
    watcher: Arc<Watcher>,
    changed: Arc<Notify>,
    _subscription: Subscription,
    ended: mpsc::UnboundedSender<Ended>,
    worst: Exit,
}

impl Jobs {
    /// Begins to watch a workspace. Returns where the ends of streams come, for [`ended`](Self::ended).
    pub fn new(
        site: Site,
        workspace: Workspace,
        terms: Terms,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Ended>), Failure> {
        let watcher = Watcher::new().map_err(Failure::start)?;
        let changed = Arc::new(Notify::new());
        let wake = changed.clone();
        let subscription = watcher.subscribe(&workspace.directory, move || wake.notify_one());
        let (ended, endings) = mpsc::unbounded_channel();
        let jobs = Self {
            site,
            terms,
            known: BTreeMap::new(),
            present: workspace.jobs().unwrap_or_default().into_iter().map(|job| job.id).collect(),
            passed_over: HashSet::new(),
            permission: Permission::Given,
            workers: (worker::running(&workspace.directory), Instant::now()),
            workspace,
            watcher,
            changed,
            _subscription: subscription,
            ended,
            worst: Exit::Complete,
        };
        Ok((jobs, endings))
    }

    /// Waits until something in the workspace or in a job has changed.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// How the stream that went worst has ended so far.
    pub fn worst(&self) -> Exit {
        self.worst
    }

    /// Looks at everything, and does what is to be done.
    pub fn look(&mut self) {
        self.look_at_permission();
        if self.workers.1.elapsed() >= PROCESSES {
            self.workers = (worker::running(&self.workspace.directory), Instant::now());
        }
        // A workspace that can't be read for a moment has no new jobs; those that are known are looked at.
        let found = self.workspace.jobs().unwrap_or_default();
        self.passed_over.retain(|id| found.iter().any(|job| job.id == *id));
        for directory in found {
            if self.passed_over.contains(&directory.id) {
                continue;
            }
            match self.permission {
                Permission::Given if !self.known.contains_key(&directory.id) => self.find(directory),
                Permission::Given | Permission::Awaited(_) => {}
                Permission::Denied(_) => self.strip(&directory),
            }
        }
        if self.permission == Permission::Given {
            let ids: Vec<String> = self.known.keys().cloned().collect();
            ids.iter().for_each(|id| self.look_at(id));
        }
        self.known.retain(|_, job| job.is_streaming() || job.directory.directory.exists());
    }

    fn look_at_permission(&mut self) {
        let now = flare::permission(&self.workspace.directory);
        if now == self.permission {
            return;
        }
        match &now {
            Permission::Awaited(reason) | Permission::Denied(reason) => {
                out::line(format_args!("nothing is streamed: {reason}"));
                self.known.values_mut().for_each(|job| job.give_up(reason));
            }
            Permission::Given => out::line("streaming is allowed"),
        }
        // What was passed over for one reason may have to be looked at for the other.
        self.passed_over.clear();
        self.permission = now;
    }

    /// Removes the streamers that a job brings with it, since the site allows none.
    fn strip(&mut self, directory: &JobDirectory) {
        // A configuration that is not there yet, or is not whole yet, is looked at again.
        let Ok(text) = std::fs::read_to_string(&directory.config) else { return };
        let Ok(mut config) = JobConfig::new(text) else { return };
        let removed = config.remove(|_, _| true);
        self.passed_over.insert(directory.id.clone());
        if removed == 0 {
            return;
        }
        let id = escaped(&directory.id);
        match flare::replace(&directory.config, config.text()) {
            Ok(()) => out::line(format_args!("{id} brought {removed} log streamer(s) with it, which are removed")),
            Err(error) => {
                self.worst = self.worst.max(Exit::Failed);
                let config = directory.config.display();
                out::error(format_args!(
                    "{id} brought {removed} log streamer(s) with it, and {config} keeps them: {error}"
                ));
            }
        }
    }

    /// A job that was not known.
    fn find(&mut self, directory: JobDirectory) {
        let id = directory.id.clone();
        let name = match JobName::new(id.as_str()) {
            Ok(name) => name,
            Err(error) => return self.pass_over(id, error),
        };
        let wake = self.changed.clone();
        let subscription = self.watcher.subscribe(&directory.logs, move || wake.notify_one());
        let mut job = Job::new(name, directory, subscription);
        if self.present.remove(&id) && !self.workers.0.contains(&id) {
            job.look(&self.terms.patterns, false, self.terms.quiet);
            if job.quiet() >= self.terms.max_age {
                let age = humantime::format_duration(self.terms.max_age);
                return self.pass_over(id, format_args!("it has written nothing for {age}"));
            }
        }
        self.known.insert(id, job);
    }

    fn pass_over(&mut self, id: String, reason: impl Display) {
        out::line(format_args!("{} is left alone: {reason}", escaped(&id)));
        self.passed_over.insert(id);
    }

    fn look_at(&mut self, id: &str) {
        let has_worker = self.workers.0.contains(id);
        let Some(job) = self.known.get_mut(id) else { return };
        let look = job.look(&self.terms.patterns, has_worker, self.terms.quiet);
        for log in look.new {
            if job.streams_itself(&log) {
                out::line(format_args!("{id} {log} is left to the job, which declares fedtail's own streamer of it"));
                job.leave(log);
                continue;
            }
            let file = LogFile::new(job.directory.logs.join(log.as_str()), job.name.clone());
            match self.site.stream(file) {
                Ok(stream) => {
                    out::line(format_args!("{id} {log} is streamed"));
                    let told = job.begun(log.clone());
                    let (job, finish_timeout, ended) = (id.to_owned(), self.terms.finish_timeout, self.ended.clone());
                    tokio::spawn(Sending { job, log, stream, finish_timeout, ended }.run(told));
                }
                Err(error) => {
                    out::error(format_args!("{id} {log} is not streamed: {error}"));
                    self.worst = self.worst.max(Exit::Failed);
                    job.leave(log);
                }
            }
        }
        if let Some(reason) = look.over
            && job.stop()
        {
            out::line(format_args!("{id} is over: {reason}"));
        }
    }

    /// A stream has ended.
    pub fn ended(&mut self, ended: Ended) {
        let Ended { job: id, log, outcome } = ended;
        out::line(format_args!("{id} {log} {outcome}"));
        let given_up = self.known.get_mut(&id).is_some_and(|job| job.ended(log, outcome.ending));
        // What the site itself wants is no failure.
        if !given_up {
            self.worst = self.worst.max(Exit::from(outcome.ending));
        }
    }

    /// Ends all streams, and waits until the server has everything.
    pub async fn drain(&mut self, endings: &mut mpsc::UnboundedReceiver<Ended>) {
        // What came since the last look is sent too.
        self.look();
        for (id, job) in &mut self.known {
            if job.stop() {
                out::line(format_args!("{id} ends with the agent"));
            }
        }
        while self.known.values().any(Job::is_streaming) {
            let Some(ended) = endings.recv().await else { break };
            self.ended(ended);
        }
    }
}
