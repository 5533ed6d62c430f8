//! A streamer policy that lets only what is a warning or worse leave the site.
//!
//! | setting | what it does |
//! | --- | --- |
//! | `level = ERROR` | the least that leaves: DEBUG, INFO, WARNING (the default), ERROR or CRITICAL |
//!
//! It reads the two forms of NVIDIA FLARE's logs: plain, `2026-11-24 03:31:44,470 - Name - INFO - text`, and JSON with a
//! `levelname`. A line that begins with neither, such as those of a traceback, belongs to the message before it and goes
//! with it. What has no level that is known leaves: a filter that hides what it does not understand hides the error.

#![deny(missing_docs, unsafe_code)]

use fedtail_policy_sdk::{Boundary, Custom, Lines};

mod record;

use record::{Severity, severity_of};

/// The policy.
struct Level {
    least: Severity,
    /// Whether the message that lines belong to leaves.
    leaves: bool,
    /// Whether the last line began a message.
    began: bool,
}

impl Lines for Level {
    fn start(custom: &mut Custom) -> Result<Self, String> {
        let least = match custom.take("level") {
            None => Severity::Warning,
            Some(name) => Severity::named(name.as_bytes()).ok_or_else(|| {
                format!("the setting `level` is {name:?}, and has to be DEBUG, INFO, WARNING, ERROR or CRITICAL")
            })?,
        };
        Ok(Self { least, leaves: true, began: false })
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let severity = severity_of(line);
        self.began = severity.is_some();
        if let Some(severity) = severity {
            self.leaves = severity >= self.least;
        }
        if self.leaves {
            out.extend_from_slice(line);
        }
    }

    fn boundary(&self) -> Boundary {
        // A fresh policy lets lines out until it sees a message that does not leave.
        match (self.leaves, self.began) {
            (true, _) => Boundary::Behind,
            (false, true) => Boundary::Before,
            (false, false) => Boundary::Neither,
        }
    }
}

fedtail_policy_sdk::streamer!(Level);

#[cfg(test)]
mod tests {
    use fedtail_policy_sdk::testing::filter;

    use super::*;

    const LOG: &str = "\
starting
2026-11-24 03:31:44,470 - Client - INFO - round 1
  more of it
2026-11-24 03:31:45,001 - Client - ERROR - it broke
Traceback (most recent call last):
  File \"train.py\", line 3, in <module>
ValueError: INFO

2026-11-24 03:31:46,000 - Client - INFO - going on
{\"asctime\": \"x\", \"levelname\": \"INFO\", \"message\": \"no\"}
{\"asctime\": \"x\", \"levelname\": \"WARNING\", \"message\": \"yes\"}
  with a second line
2026-11-24 03:31:47,000 - Client - DEBUG - the last one
";

    const LEFT: &str = "\
starting
2026-11-24 03:31:45,001 - Client - ERROR - it broke
Traceback (most recent call last):
  File \"train.py\", line 3, in <module>
ValueError: INFO

{\"asctime\": \"x\", \"levelname\": \"WARNING\", \"message\": \"yes\"}
  with a second line
";

    #[test]
    fn warnings_and_worse_leave_with_all_their_lines_also_where_a_fresh_policy_takes_over() {
        assert_eq!(filter::<Level>(&[], LOG).unwrap(), LEFT);
    }

    #[test]
    fn the_least_level_can_be_set() {
        assert_eq!(filter::<Level>(&[("level", "DEBUG")], LOG).unwrap(), LOG);
        let critical = filter::<Level>(&[("level", "CRITICAL")], LOG).unwrap();
        assert_eq!(critical, "starting\n");
        assert!(filter::<Level>(&[("level", "LOUD")], "").unwrap_err().contains("\"LOUD\", and has to be DEBUG"));
    }
}
