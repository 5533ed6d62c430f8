//! How a site reaches its server, as whom, and with which policies: what all commands that stream have in common.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fedtail::audit::Audit;
use fedtail::names::{JobName, SiteName};
use fedtail::policy::{Engine, Promise};
use fedtail::site::{LIVENESS_INTERVAL, POLL_INTERVAL, Site};
use fedtail::transport::grpc::GrpcTransport;
use serde::Deserialize;

use crate::config::{self, Time};
use crate::exit::Failure;
use crate::policy_settings::{self, Setting, Table};
use crate::{control, credentials};

/// The flags, and the keys of the file that can be given with `--config`.
#[derive(Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// The server: https://HOST:PORT, or http:// to a server on this machine.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// In the file only: where a command has one job, the flag is its own.
    #[arg(skip)]
    pub job: Option<JobName>,
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

impl Settings {
    /// With what the file of `--config` says, and sure of a server.
    pub fn read(self) -> Result<Self, Failure> {
        let this = match &self.config {
            Some(file) => {
                let file = config::read(file)?;
                self.over(file)
            }
            None => self,
        };
        config::needed(this.server.as_ref(), "--server")?;
        Ok(this)
    }

    fn over(self, file: Self) -> Self {
        Self {
            server: self.server.or(file.server),
            job: file.job,
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

    /// How often to look at what has no events.
    pub fn poll_interval(&self) -> Duration {
        self.poll_interval.map_or(POLL_INTERVAL, |time| time.0)
    }

    /// Connects. What was [`read`](Self::read) is to be opened.
    pub fn open(self) -> Result<Connection, Failure> {
        let poll_interval = self.poll_interval();
        let url = config::needed(self.server, "--server")?;
        let credentials = credentials::read(self.cert, self.key, self.ca, ["--cert", "--key", "--ca"])?;
        let transport = GrpcTransport::new(&url, credentials.as_ref())?;
        let mut builder = Site::builder(transport)
            .cache(Engine::user_cache())
            .liveness_interval(self.liveness_interval.map_or(LIVENESS_INTERVAL, |time| time.0))
            .poll_interval(poll_interval);
        let first_line = match (&credentials, self.site) {
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
        let settings = policy_settings::joined(self.policy_setting, self.policy_settings, self.policy.is_some())?;
        if let Some((origin, rehearsal)) = policy_settings::chosen(self.policy, settings, self.policy_kind)? {
            builder = builder.policies(origin).battery(rehearsal);
        }
        let audit = self.audit.as_deref().map(Audit::open).transpose()?;
        if let Some(audit) = &audit {
            builder = builder.audit(audit.clone());
        }
        let site = builder.start()?;
        let reloading = site.clone();
        let socket = control::listen(move || reloading.reload_policies());
        let finish_timeout = self.finish_timeout.map(|time| time.0);
        Ok(Connection { first_line, site, audit, _socket: socket, finish_timeout })
    }
}

/// A site that connects in the background.
pub struct Connection {
    /// The program's first line.
    pub first_line: String,
    pub site: Site,
    /// To be flushed when the streams have ended.
    pub audit: Option<Arc<Audit>>,
    /// Kept for as long as the policies can be read again.
    _socket: Option<control::Socket>,
    pub finish_timeout: Option<Duration>,
}

impl Connection {
    /// Writes what is left of the audit: the program ends without waiting for anything else.
    pub fn flush(&self) {
        if let Some(audit) = &self.audit {
            tokio::task::block_in_place(|| audit.flush());
        }
    }
}
