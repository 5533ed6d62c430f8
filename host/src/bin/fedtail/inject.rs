//! `fedtail inject`: declares log streamers in FLARE jobs, for sites that prepare jobs by a script.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use fedtail::names::LogName;
use serde_json::Value;
use similar::TextDiff;

use crate::config::Time;
use crate::exit::{Exit, Failure};
use crate::flare::streamer::{DEFAULT_LOG, Whose};
use crate::flare::{self, JobConfig, Permission, Streamer};
use crate::out;

/// Declare log streamers in FLARE jobs: each job then streams its logs by itself, with fedtail's Python package.
///
/// What is declared already, fedtail's streamer or FLARE's own, is left as it is, and so is every other byte of the file. It
/// is replaced by a rename, with its mode and owner; where CONFIG is a symbolic link, the file behind it is.
#[derive(Args)]
pub struct Options {
    /// The jobs' config_fed_client.json. All are read before the first is changed.
    #[arg(required = true, value_name = "CONFIG")]
    configs: Vec<PathBuf>,
    /// A log's name in the job's directory; repeatable, one streamer each [default: log.txt; with --remove: all].
    #[arg(long = "log", value_name = "NAME")]
    logs: Vec<LogName>,
    /// Remove what this command declares, instead. FLARE's own streamers stay.
    #[arg(long)]
    remove: bool,
    /// Change nothing, and show the difference.
    #[arg(long)]
    dry_run: bool,
    /// The site's workspace, whose local/resources.json may say that nothing is to be streamed; then all streamers are
    /// removed [default: that which CONFIG is in, if it is WORKSPACE/JOB/app_SITE/config/…].
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    #[command(flatten)]
    streamer: StreamerOptions,
}

/// What the streamers are to do, where it is not what they do by themselves.
#[derive(Args)]
#[command(next_help_heading = "What is declared")]
struct StreamerOptions {
    /// How often the server hears of the job at least.
    #[arg(long, value_name = "TIME")]
    liveness_interval: Option<Time>,
    /// How often to look at the log when no event came.
    #[arg(long, value_name = "TIME")]
    poll_interval: Option<Time>,
    /// A streamer policy, by its path where the job runs.
    #[arg(long, value_name = "F.wasm|DIR")]
    policy: Option<String>,
    /// How long the job's end may wait for the server to have everything.
    #[arg(long, value_name = "TIME")]
    finish_timeout: Option<Time>,
    /// A fedtail server of its own, instead of FLARE's network.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

impl StreamerOptions {
    /// The arguments of the streamer, by the names that its constructor has.
    fn arguments(&self) -> BTreeMap<&'static str, Value> {
        let seconds = |time: &Option<Time>| time.map(|time| time.0.as_secs_f64().into());
        let text = |text: &Option<String>| text.as_deref().map(Value::from);
        let arguments = [
            ("liveness_interval", seconds(&self.liveness_interval)),
            ("poll_interval", seconds(&self.poll_interval)),
            ("policy", text(&self.policy)),
            ("finish_timeout", seconds(&self.finish_timeout)),
            ("server", text(&self.server)),
        ];
        arguments.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// What is to become of one file.
struct Change {
    path: PathBuf,
    before: String,
    after: String,
    /// What was done, for the person who reads.
    words: String,
}

pub fn run(options: &Options) -> Result<Exit, Failure> {
    if let Some(workspace) = &options.workspace
        && let Permission::Awaited(reason) = flare::permission(workspace)
    {
        let shown = workspace.display();
        return Err(Failure::start(format!("{shown} is no site's workspace: {reason}; nothing is changed")));
    }
    let changes = options.configs.iter().map(|path| options.change(path)).collect::<Result<Vec<_>, _>>()?;
    for change in changes {
        let shown = change.path.display();
        if options.dry_run {
            let diff = TextDiff::from_lines(change.before.as_str(), change.after.as_str());
            let name = change.path.to_string_lossy();
            out::text(diff.unified_diff().header(&name, &name));
            continue;
        }
        if change.after != change.before {
            flare::replace(&change.path, &change.after)
                .map_err(|e| Failure::start(format!("{shown} cannot be replaced: {e}; it is as it was")))?;
        }
        out::line(format_args!("{shown}: {}", change.words));
    }
    Ok(Exit::Complete)
}

impl Options {
    fn change(&self, path: &Path) -> Result<Change, Failure> {
        let refused = |reason: String| Failure::start(format!("{}: {reason}; nothing is changed", path.display()));
        let extension = path.extension().and_then(|extension| extension.to_str());
        if let Some(format @ ("conf" | "yml" | "yaml")) = extension {
            let advice = "only JSON is edited: convert it, or declare the component by hand";
            return Err(refused(format!("it is a .{format}, and {advice}")));
        }
        let before = std::fs::read_to_string(path).map_err(|e| refused(format!("it cannot be read: {e}")))?;
        let mut config = JobConfig::new(before.clone()).map_err(refused)?;
        let words = self.edit(path, &mut config);
        Ok(Change { path: path.into(), before, after: config.text().into(), words })
    }

    fn edit(&self, path: &Path, config: &mut JobConfig) -> String {
        let workspace = self.workspace.clone().or_else(|| flare::workspace::of_config(path));
        if let Some(Permission::Denied(reason)) = workspace.as_deref().map(flare::permission) {
            let removed = config.remove(|_, _| true);
            return format!("not streamed, {}: {reason}", told(removed, "removed"));
        }
        if self.remove {
            let is_meant = |log: &str| self.logs.is_empty() || self.logs.iter().any(|meant| meant.as_str() == log);
            let removed = config.remove(|whose, log| whose == Whose::Ours && is_meant(log));
            return told(removed, "removed");
        }
        let logs: Vec<&str> = match &self.logs[..] {
            [] => vec![DEFAULT_LOG],
            logs => logs.iter().map(LogName::as_str).collect(),
        };
        let arguments = self.streamer.arguments();
        let declared = logs.into_iter().filter(|log| {
            let streamer = Streamer { log: (*log).into(), arguments: arguments.clone() };
            config.declare(&streamer)
        });
        told(declared.count(), "declared")
    }
}

fn told(streamers: usize, done: &str) -> String {
    match streamers {
        0 => "nothing to change".into(),
        1 => format!("1 streamer {done}"),
        more => format!("{more} streamers {done}"),
    }
}
