//! `fedtail stream`: streams logs of one job to the server.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fedtail::audit::Audit;
use fedtail::names::{JobName, LogName, SiteName};
use fedtail::policy::{Engine, Promise};
use fedtail::site::{Ending, LIVENESS_INTERVAL, LogFile, Outcome, POLL_INTERVAL, Site, Stream};
use fedtail::source::SourceError;
use fedtail::transport::grpc::GrpcTransport;
use serde::Deserialize;

use crate::config::{self, Time};
use crate::exit::{Exit, Failure};
use crate::policy_settings::{self, Setting, Table};
use crate::{control, credentials, out, signals};

/// What `stream` and `run` have in common.
#[derive(Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Common {
    /// The server: https://HOST:PORT, or http:// to a server on this machine.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The job that the logs belong to.
    #[arg(long, value_name = "JOB")]
    job: Option<JobName>,
    /// This site's name, without TLS only; with TLS the certificate says it.
    #[arg(long, value_name = "SITE")]
    site: Option<SiteName>,
    /// The authority that the server's certificate has to come from (PEM); FLARE: rootCA.pem.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// This site's certificate (PEM); FLARE: client.crt.
    #[arg(long, value_name = "FILE")]
    cert: Option<PathBuf>,
    /// The certificate's key (PEM); FLARE: client.key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// A streamer policy instead of the built-in one, which sends everything: a component, or a directory with a
    /// policies.toml. It is watched, and streams go over to what changes there; SIGHUP and `fedtail policy reload` have it
    /// read at once.
    #[arg(long, value_name = "F.wasm|DIR")]
    policy: Option<PathBuf>,
    /// A setting of the policy; its own documentation says which it has. Repeatable. In the file of --config they are
    /// the table [policy-settings].
    #[arg(long, value_name = "KEY=VALUE")]
    #[serde(skip)]
    policy_setting: Vec<Setting>,
    #[arg(skip)]
    #[serde(default)]
    policy_settings: Table,
    /// What the policy is held to when it is tried in the simulation before it is taken, as in `fedtail policy test`:
    /// forwards, filters, limits or other [default: what it seems to be].
    #[arg(long, value_name = "KIND")]
    policy_kind: Option<Promise>,
    /// A file where each range of bytes is written down that leaves this site, with its policy; see `fedtail audit`.
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,
    /// How often the server hears of this site at least; shorter than its idle timeout [default: 10s].
    #[arg(long, value_name = "TIME")]
    liveness_interval: Option<Time>,
    /// How often to look at the log when no event came [default: 500ms].
    #[arg(long, value_name = "TIME")]
    poll_interval: Option<Time>,
    /// How long to wait, once told to stop, for the server to have everything [default: for ever; `run`: 60s].
    #[arg(long, value_name = "TIME")]
    finish_timeout: Option<Time>,
    /// Settings from a TOML file; its keys are these flags' names. Flags win.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    common: Common,
    /// Send what is there, and end: a snapshot of the log.
    #[arg(long)]
    once: bool,
    /// The logs. Each need not exist yet, but its directory has to.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Common {
    fn over(self, file: Self) -> Self {
        Self {
            server: self.server.or(file.server),
            job: self.job.or(file.job),
            site: self.site.or(file.site),
            ca: self.ca.or(file.ca),
            cert: self.cert.or(file.cert),
            key: self.key.or(file.key),
            policy: self.policy.or(file.policy),
            policy_setting: self.policy_setting,
            policy_settings: file.policy_settings,
            policy_kind: self.policy_kind.or(file.policy_kind),
            audit: self.audit.or(file.audit),
            liveness_interval: self.liveness_interval.or(file.liveness_interval),
            poll_interval: self.poll_interval.or(file.poll_interval),
            finish_timeout: self.finish_timeout.or(file.finish_timeout),
            config: self.config,
        }
    }

    /// Connects, and begins to stream the files. Returns the program's first line with the streams.
    pub fn start(self, files: &[PathBuf], once: bool) -> Result<Started, Failure> {
        let this = match &self.config {
            Some(file) => {
                let file = config::read(file)?;
                self.over(file)
            }
            None => self,
        };
        let url = config::needed(this.server, "--server")?;
        let job = config::needed(this.job, "--job")?;
        // Before anything is connected, so that this is all that is said.
        check(files, once)?;
        let credentials = credentials::read(this.cert, this.key, this.ca, ["--cert", "--key", "--ca"])?;
        let transport = GrpcTransport::new(&url, credentials.as_ref())?;
        let mut builder = Site::builder(transport)
            .cache(Engine::user_cache())
            .liveness_interval(this.liveness_interval.map_or(LIVENESS_INTERVAL, |time| time.0))
            .poll_interval(this.poll_interval.map_or(POLL_INTERVAL, |time| time.0));
        let first_line = match (&credentials, this.site) {
            (Some(_), Some(_)) => {
                return Err(Failure::usage(
                    "--site is for connections without TLS; the certificate says the site's name",
                ));
            }
            (Some(credentials), None) => {
                builder = builder.anchor_secret(credentials.secret());
                format!("streaming to {url} as {}", credentials.name())
            }
            (None, Some(site)) => {
                let line = format!("streaming to {url} as {site} without TLS: this machine only");
                builder = builder.site(site);
                line
            }
            (None, None) => return Err(config::needed(None::<()>, "--site").expect_err("none is missing")),
        };
        let settings = policy_settings::joined(this.policy_setting, this.policy_settings, this.policy.is_some())?;
        if let Some((origin, rehearsal)) = policy_settings::chosen(this.policy, settings, this.policy_kind)? {
            builder = builder.policies(origin).battery(rehearsal);
        }
        let audit = this.audit.as_deref().map(Audit::open).transpose()?;
        if let Some(audit) = &audit {
            builder = builder.audit(audit.clone());
        }
        let site = builder.start()?;
        let mut streams = Vec::new();
        for file in files {
            let log = LogFile::new(file, job.clone());
            let stream = site.stream(if once { log.once() } else { log })?;
            streams.push((format!("{job} {}", file.display()), stream));
        }
        let reloading = site.clone();
        let socket = control::listen(move || reloading.reload_policies());
        Ok(Started {
            first_line,
            site,
            streams,
            audit,
            _socket: socket,
            finish_timeout: this.finish_timeout.map(|time| time.0),
        })
    }
}

/// Streams that have begun.
pub struct Started {
    pub first_line: String,
    pub site: Site,
    /// To be flushed when the streams have ended.
    pub audit: Option<Arc<Audit>>,
    /// Kept for as long as the policies can be read again.
    pub _socket: Option<control::Socket>,
    /// Each with what to call it.
    pub streams: Vec<(String, Stream)>,
    pub finish_timeout: Option<Duration>,
}

/// What can't be streamed is said now, not when the job has run.
fn check(files: &[PathBuf], once: bool) -> Result<(), Failure> {
    let mut names: HashMap<LogName, &Path> = HashMap::new();
    for file in files {
        readable(file, once)?;
        // A path without a readable name is refused when its stream begins.
        let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
        if let Some(other) = names.insert(LogName::new(name)?, file) {
            return Err(Failure::usage(format!(
                "{} and {} would both be the log {name:?} of the job: rename one of them",
                other.display(),
                file.display()
            )));
        }
    }
    Ok(())
}

fn readable(file: &Path, once: bool) -> Result<(), Failure> {
    match std::fs::metadata(file) {
        Ok(found) if !found.is_file() => {
            Err(Failure::start(format!("{} is not a file: give the log itself", file.display())))
        }
        Ok(_) => match std::fs::File::open(file) {
            Ok(_) => Ok(()),
            Err(e) => Err(Failure::start(format!(
                "{} cannot be read: {e}: let this user read it, or run fedtail as one who can",
                file.display()
            ))),
        },
        // A log may appear later, in a directory that is there.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && !once => {
            let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
            match directory {
                Some(path) if !path.is_dir() => Err(Failure::start(SourceError::NotFound { path: path.into() })),
                _ => Ok(()),
            }
        }
        Err(e) => Err(Failure::start(format!("{}: {e}", file.display()))),
    }
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let mut signals = signals::Ending::new()?;
    let hangup = control::Hangup::listen()?;
    let started = options.common.start(&options.files, options.once)?;
    out::line(&started.first_line);
    let site = started.site.clone();
    hangup.reloads(move || site.reload_policies());
    let mut streams = started.streams;
    let ended = tokio::select! {
        outcomes = ended(&mut streams) => Some(outcomes),
        () = signals.next() => None,
    };
    let outcomes = match ended {
        Some(outcomes) => outcomes,
        None => {
            let finished = finish(streams, started.finish_timeout);
            tokio::select! {
                outcomes = finished => outcomes,
                () = signals.next() => {
                    flush(started.audit.as_deref());
                    out::error("left at once, on a second signal: the server has what it had acknowledged");
                    return Ok(Exit::GivenUp);
                }
            }
        }
    };
    flush(started.audit.as_deref());
    for (name, outcome) in &outcomes {
        out::line(format_args!("{name} {outcome}"));
    }
    Ok(worst(&outcomes))
}

/// Writes what is left of the audit: the program ends without waiting for anything else.
pub fn flush(audit: Option<&Audit>) {
    if let Some(audit) = audit {
        tokio::task::block_in_place(|| audit.flush());
    }
}

/// Waits until each stream has ended by itself.
async fn ended(streams: &mut [(String, Stream)]) -> Vec<(String, Outcome)> {
    let mut outcomes = Vec::new();
    for (name, stream) in streams {
        outcomes.push((name.clone(), stream.ended().await));
    }
    outcomes
}

/// Stops all streams at the same time, and waits for each.
pub async fn finish(streams: Vec<(String, Stream)>, timeout: Option<Duration>) -> Vec<(String, Outcome)> {
    for (_, stream) in &streams {
        stream.request_stop();
    }
    // Side by side, so that each has all of the time, and says so.
    let finishing: Vec<_> = streams
        .into_iter()
        .map(|(name, mut stream)| {
            tokio::spawn(async move {
                let outcome = match timeout {
                    Some(timeout) => stream.finish(timeout).await,
                    None => stream.ended().await,
                };
                (name, outcome)
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for finished in finishing {
        match finished.await {
            Ok(outcome) => outcomes.push(outcome),
            // Nobody aborts these tasks, so it is a panic, and goes on as one.
            Err(defect) => std::panic::resume_unwind(defect.into_panic()),
        }
    }
    outcomes
}

/// The exit of the stream that went worst.
fn worst(outcomes: &[(String, Outcome)]) -> Exit {
    outcomes.iter().map(|(_, outcome)| Exit::from(outcome.ending)).max().unwrap_or(Exit::Complete)
}

/// Whether all went well.
pub fn all_complete(outcomes: &[(String, Outcome)]) -> bool {
    outcomes.iter().all(|(_, outcome)| outcome.ending == Ending::Complete)
}
