//! What the demo writes: logs of a real run, carried in the program, each line with the time at which it was written then.

use std::time::{Duration, SystemTime};

use fedtail::names::{JobName, LogKey, LogName, NameError, SiteName};
use serde::Deserialize;

/// The job that the logs are of.
pub const JOB: &str = "hello-log-streaming";

/// The demo's sites, and whose recorded logs each writes. Two sites were recorded.
pub const SITES: [(&str, &[Recorded]); 3] = [("site-1", &SITE_1), ("site-2", &SITE_2), ("site-3", &SITE_1)];

/// The log that is rotated on the way: which site's, and its name.
pub const ROTATED: (&str, &str) = ("site-1", "log.txt");

/// A recorded log.
pub struct Recorded {
    pub name: &'static str,
    pub text: &'static [u8],
}

macro_rules! recorded {
    ($site:literal: $($name:literal),*) => {
        [$(Recorded {
            name: $name,
            text: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/flare/", $site, "/", $name)),
        }),*]
    };
}

static SITE_1: [Recorded; 4] = recorded!("site-1": "log.txt", "log.json", "log_fl.txt", "error_log.txt");
static SITE_2: [Recorded; 4] = recorded!("site-2": "log.txt", "log.json", "log_fl.txt", "error_log.txt");

/// A log that the demo writes.
pub struct Log {
    pub key: LogKey,
    pub text: &'static [u8],
    /// Whether it is rotated on the way.
    pub rotated: bool,
}

/// All logs of all sites.
pub fn logs() -> Result<Vec<Log>, NameError> {
    let mut logs = Vec::new();
    for (site, recorded) in SITES {
        for &Recorded { name, text } in recorded {
            let key = LogKey { job: JobName::new(JOB)?, site: SiteName::new(site)?, log: LogName::new(name)? };
            logs.push(Log { key, text, rotated: (site, name) == ROTATED });
        }
    }
    Ok(logs)
}

/// One line to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// Which log, by its place in the list.
    pub log: usize,
    /// When, from the start of the recording.
    pub at: Duration,
    /// With its line feed.
    pub text: &'a [u8],
    /// Whether a message begins here. The other lines of a message have no time of their own.
    pub begins: bool,
}

/// The lines of all logs in the order in which they were written; the earliest at 0. Each log's own order is kept, also
/// where threads of the job wrote their lines in another order than their times say.
pub fn script<'a>(logs: impl IntoIterator<Item = &'a [u8]>) -> Vec<Line<'a>> {
    let mut timed = Vec::new();
    for (log, text) in logs.into_iter().enumerate() {
        let mut now = None;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let time = time(line);
            now = now.max(time);
            timed.push((now, Line { log, at: Duration::ZERO, text: line, begins: time.is_some() }));
        }
    }
    let start = timed.iter().filter_map(|(time, _)| *time).min();
    let since = |time: SystemTime| time.duration_since(start?).ok();
    let mut lines: Vec<_> =
        timed.iter().map(|(time, line)| Line { at: time.and_then(since).unwrap_or_default(), ..*line }).collect();
    // Stable, so lines of one time stay as they are.
    lines.sort_by_key(|line| line.at);
    lines
}

/// When a line was written, as it says itself: Python's `2026-11-24 03:31:44,470` at its beginning, or as `asctime` in a
/// line of JSON.
fn time(line: &[u8]) -> Option<SystemTime> {
    #[derive(Deserialize)]
    struct Message {
        asctime: String,
    }
    const LENGTH: usize = "2026-11-24 03:31:44,470".len();

    let text = match serde_json::from_slice::<Message>(line) {
        Ok(message) => message.asctime,
        Err(_) => String::from_utf8(line.get(..LENGTH)?.to_vec()).ok()?,
    };
    let (seconds, milliseconds) = text.split_once(',')?;
    humantime::parse_rfc3339_weak(&format!("{seconds}.{milliseconds}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(lines: &[Line<'_>]) -> Vec<(usize, u128, bool)> {
        lines.iter().map(|line| (line.log, line.at.as_millis(), line.begins)).collect()
    }

    #[test]
    fn a_line_without_a_time_goes_with_the_one_before() {
        let text = b"2026-11-24 03:31:44,470 - a\n [4. 5.]\n2026-11-24 03:31:44,912 - b\n [7. 8.]";
        let lines = script([&text[..]]);
        assert_eq!(at(&lines), [(0, 0, true), (0, 0, false), (0, 442, true), (0, 442, false)]);
        assert_eq!(lines[3].text, b" [7. 8.]");
    }

    #[test]
    fn json_says_its_time_wherever_it_stands_in_the_object() {
        let text = br#"{"asctime": "2026-11-24 23:59:59,999", "name": "a"}
{"name": "2026-11-24 23:59:59,000", "asctime": "2026-11-25 00:00:00,001"}
{"name": "no time"}
"#;
        assert_eq!(at(&script([&text[..]])), [(0, 0, true), (0, 2, true), (0, 2, false)]);
    }

    #[test]
    fn logs_are_merged_by_time_and_each_keeps_its_order() {
        let one = b"headline\n2026-11-24 03:31:45,000 a\n2026-11-24 03:31:44,999 b\n";
        let two = b"2026-11-24 03:31:44,000 c\n2026-11-24 03:31:46,000 d\n";
        let lines = script([&one[..], &two[..], &b""[..]]);
        assert_eq!(
            at(&lines),
            [(0, 0, false), (1, 0, true), (0, 1000, true), (0, 1000, true), (1, 2000, true)],
            "a time that steps back does not hold a line back, nor let it pass the one before"
        );
    }

    #[test]
    fn what_only_looks_like_a_time_is_none() {
        for line in ["", "2026-11-24 03:31:44", "2026-13-24 03:31:44,470 - a", "2026-11-24 03:31:44;470 - a", "é"] {
            assert_eq!(time(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn the_recording_is_whole_and_takes_fifteen_seconds() {
        let logs = logs().unwrap();
        let lines = script(logs.iter().map(|log| log.text));
        for (number, log) in logs.iter().enumerate() {
            let written: Vec<u8> =
                lines.iter().filter(|line| line.log == number).flat_map(|line| line.text).copied().collect();
            assert!(written == log.text, "{}", log.key);
            assert_eq!(log.text.is_empty(), log.key.log.as_str() == "error_log.txt", "{}", log.key);
        }
        assert_eq!(lines.last().map(|line| line.at.as_secs()), Some(14));
        assert_eq!(logs.iter().filter(|log| log.rotated).count(), 1);
    }
}
