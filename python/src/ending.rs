//! How streams end, as Python sees it.

use std::path::PathBuf;

use fedtail::server::{Ended, ending_name};
use fedtail::site::{self, Ending};
use fedtail::wire::{self, GapReason};
use pyo3::prelude::*;

/// Bytes that were lost at the source.
#[pyclass(frozen, get_all, eq, hash, module = "fedtail")]
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Gap {
    lost: Option<u64>,
    kind: &'static str,
    words: String,
    at: u64,
    text: String,
}

impl From<&wire::Gap> for Gap {
    fn from(gap: &wire::Gap) -> Self {
        let kind = match gap.reason() {
            GapReason::Truncated => "truncated",
            GapReason::Deleted => "deleted",
            GapReason::Ambiguous => "ambiguous",
            GapReason::Unproven => "unproven",
            GapReason::Late => "late",
            GapReason::Unspecified => "other",
        };
        Self { lost: gap.lost, kind, words: gap.words.clone(), at: gap.at, text: gap.to_string() }
    }
}

#[pymethods]
impl Gap {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<fedtail.Gap: {}>", self.text)
    }
}

/// Gaps as Python sees them.
pub fn gaps(gaps: &[wire::Gap]) -> Vec<Gap> {
    gaps.iter().map(Gap::from).collect()
}

/// How a stream ended, at the site.
#[pyclass(frozen, get_all, module = "fedtail")]
#[derive(Clone)]
pub struct Outcome {
    ending: &'static str,
    complete: bool,
    reason: String,
    stored: u64,
    gaps: Vec<Gap>,
    text: String,
}

impl From<&site::Outcome> for Outcome {
    fn from(outcome: &site::Outcome) -> Self {
        let ending = match outcome.ending {
            Ending::Complete => "complete",
            Ending::Incomplete => "incomplete",
            Ending::Refused => "refused",
            Ending::Superseded => "superseded",
            Ending::Aborted => "aborted",
            Ending::Failed => "failed",
            Ending::TimedOut => "timed out",
        };
        Self {
            ending,
            complete: outcome.ending == Ending::Complete,
            reason: outcome.reason.clone(),
            stored: outcome.stored,
            gaps: gaps(&outcome.gaps),
            text: outcome.to_string(),
        }
    }
}

#[pymethods]
impl Outcome {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<fedtail.Outcome: {}>", self.text)
    }
}

/// How a stream ended, at the server.
#[pyclass(frozen, get_all, module = "fedtail")]
#[derive(Clone)]
pub struct Finished {
    job: String,
    site: String,
    log: String,
    ending: &'static str,
    reason: String,
    bytes: u64,
    gaps: Vec<Gap>,
    path: PathBuf,
    text: String,
}

impl From<&Ended> for Finished {
    fn from(ended: &Ended) -> Self {
        Self {
            job: ended.key.job.to_string(),
            site: ended.key.site.to_string(),
            log: ended.key.log.to_string(),
            ending: ending_name(ended.kind),
            reason: ended.reason.clone(),
            bytes: ended.stored,
            gaps: gaps(&ended.gaps),
            path: ended.path.clone(),
            text: ended.to_string(),
        }
    }
}

#[pymethods]
impl Finished {
    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!("<fedtail.Finished: {}>", self.text)
    }
}
