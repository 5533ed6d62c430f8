//! The component that streams a log from within a FLARE job, and how one is recognised.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What fedtail's own is.
const OURS: &str = "fedtail.flare.JobLogStreamer";
/// The last part of the class path of each, fedtail's own and FLARE's.
const CLASS: &str = "JobLogStreamer";
/// The log of one that names none.
pub const DEFAULT_LOG: &str = "log.txt";
/// What fedtail's own is called in a job; further ones have a number behind it.
const ID: &str = "job_log_streamer";

/// What is to be declared: the arguments of the component's constructor, those that are given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Streamer {
    /// The log's name in the job's directory.
    pub log: String,
    /// All others.
    pub arguments: BTreeMap<&'static str, Value>,
}

/// A streamer as it stands in a configuration.
#[derive(Serialize)]
pub struct Component<'a> {
    id: String,
    path: &'static str,
    args: BTreeMap<&'a str, Value>,
}

impl Streamer {
    /// With an id of its own in the job.
    pub fn component(&self, id: String) -> Component<'_> {
        let mut args: BTreeMap<&str, Value> =
            self.arguments.iter().map(|(name, value)| (*name, value.clone())).collect();
        args.insert("log_file_name", self.log.as_str().into());
        Component { id, path: OURS, args }
    }
}

/// A free id among those of a job's components.
pub fn free_id<'a>(taken: impl Iterator<Item = &'a Value> + Clone) -> String {
    let is_taken = |id: &str| taken.clone().any(|component| component["id"] == id);
    let numbered = |number: usize| if number == 1 { ID.to_owned() } else { format!("{ID}_{number}") };
    (1..).map(numbered).find(|id| !is_taken(id)).expect("there are more numbers than components")
}

/// Whose a streamer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Ours,
    Flares,
}

/// Whose streamer a component is and the log that it streams, if it is one. FLARE does not make a component that is disabled.
pub fn recognised(component: &Value) -> Option<(Whose, &str)> {
    // The first of these that is there counts, also if it is empty: so FLARE finds a component's class.
    let class = ["path", "class_path", "name"].iter().find_map(|key| component.get(key))?.as_str()?;
    if class.rsplit('.').next() != Some(CLASS) || component["disabled"] == true {
        return None;
    }
    let whose = if class.starts_with("fedtail.") { Whose::Ours } else { Whose::Flares };
    let log = component["args"].get("log_file_name").map_or(Some(DEFAULT_LOG), Value::as_str);
    // A name that is no text is FLARE's to refuse.
    Some((whose, log.unwrap_or_default()))
}
