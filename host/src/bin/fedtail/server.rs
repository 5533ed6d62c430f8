//! `fedtail server`: takes logs from sites and stores them.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fedtail::identity::Access;
use fedtail::policy::{Engine, Promise};
use fedtail::server::{IDLE_TIMEOUT, LATE_GRACE, Server};
use fedtail::store::Durability;
use fedtail::transport::grpc::{self, ServeOptions};
use serde::Deserialize;

use crate::config::{self, Time};
use crate::exit::{Exit, Failure};
use crate::policy_settings::{self, Setting, Table};
use crate::{control, credentials};
use crate::{out, signals};

#[derive(Args, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Options {
    /// Where to listen: an address and a port; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// The directory where logs are stored, as DIR/<job>/<site>/<log>.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// The server's certificate (PEM). Without TLS only this machine's loopback is served.
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// The authority that sites' and operators' certificates have to come from (PEM).
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// The name in a certificate that may read all logs over the network, and write none. Repeatable.
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    operator: Vec<String>,
    /// Names in certificates that may write, with * and ?. Repeatable; by default every name that is no operator's.
    #[arg(long, value_name = "PATTERN")]
    #[serde(default)]
    site_names: Vec<String>,
    /// A receiver policy instead of the built-in one: a component, or a directory with a policies.toml. It is watched, and
    /// streams go over to what changes there; SIGHUP and `fedtail policy reload` have it read at once.
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
    /// After how much silence a stream is closed [default: 30s].
    #[arg(long, value_name = "TIME")]
    idle_timeout: Option<Time>,
    /// How long after its end a log still takes late lines [default: 24h].
    #[arg(long, value_name = "TIME")]
    late_grace: Option<Time>,
    /// What an acknowledged byte outlives: the end of the process, or a power loss too [default: process].
    #[arg(long, value_enum)]
    durability: Option<Outlives>,
    /// Settings from a TOML file; its keys are these flags' names. Flags win.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Outlives {
    Process,
    Flush,
}

impl Options {
    fn over(self, file: Self) -> Self {
        Self {
            listen: self.listen.or(file.listen),
            store: self.store.or(file.store),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            client_ca: self.client_ca.or(file.client_ca),
            operator: config::list(self.operator, file.operator),
            site_names: config::list(self.site_names, file.site_names),
            policy: self.policy.or(file.policy),
            policy_setting: self.policy_setting,
            policy_settings: file.policy_settings,
            policy_kind: self.policy_kind.or(file.policy_kind),
            idle_timeout: self.idle_timeout.or(file.idle_timeout),
            late_grace: self.late_grace.or(file.late_grace),
            durability: self.durability.or(file.durability),
            config: self.config,
        }
    }
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let options = match &options.config {
        Some(file) => {
            let file = config::read(file)?;
            options.over(file)
        }
        None => options,
    };
    let listen = config::needed(options.listen, "--listen")?;
    let store = config::needed(options.store, "--store")?;
    let flags = ["--tls-cert", "--tls-key", "--client-ca"];
    let credentials = credentials::read(options.tls_cert, options.tls_key, options.client_ca, flags)?;
    let has_tls = credentials.is_some();
    let access = Access::new(options.operator, &options.site_names)?;

    let mut builder = Server::builder(&store)
        .cache(Engine::user_cache())
        .idle_timeout(options.idle_timeout.map_or(IDLE_TIMEOUT, |time| time.0))
        .late_grace(options.late_grace.map_or(LATE_GRACE, |time| time.0))
        .durability(match options.durability {
            Some(Outlives::Flush) => Durability::Flush,
            Some(Outlives::Process) | None => Durability::Process,
        })
        .on_ended(|ended| out::line(format_args!("ended {ended}")));
    let settings = policy_settings::joined(options.policy_setting, options.policy_settings, options.policy.is_some())?;
    if let Some((origin, rehearsal)) = policy_settings::chosen(options.policy, settings, options.policy_kind)? {
        builder = builder.policies(origin).battery(rehearsal);
    }
    let mut signals = signals::Ending::new()?;
    signals::survive_file_size_limit()?;
    let hangup = control::Hangup::listen()?;
    let server = builder.start()?;
    let reloading = server.clone();
    hangup.reloads(move || reloading.reload_policies());
    let reloading = server.clone();
    let _socket = control::listen(move || reloading.reload_policies());
    let listening = grpc::serve(&server, ServeOptions { listen, credentials, access }).await?;
    let address = listening.address;
    out::line(if has_tls {
        format!("listening on https://{address}")
    } else {
        format!("listening on http://{address} without TLS: this machine only, and everybody on it may read and write")
    });
    tokio::select! {
        ended = listening.ended => match ended {
            Ok(()) => Ok(Exit::Complete),
            Err(reason) => Err(Failure::start(format!("the listener on {address} failed: {reason}"))),
        },
        // What is stored is stored at every moment: there is nothing to wait for, and sites go on where they are.
        () = signals.next() => Ok(Exit::Complete),
    }
}
