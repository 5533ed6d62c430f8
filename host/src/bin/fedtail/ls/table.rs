//! Rows as a table.

use std::fmt::Write;
use std::time::SystemTime;

use super::row::Row;
use crate::escape::escaped;

const HEADS: [&str; 6] = ["JOB", "SITE", "LOG", "BYTES", "LAST HEARD", "STATE"];
/// Numbers stand at the right of their column.
const BYTES: usize = 3;
const COLUMNS: usize = HEADS.len();
/// How many digits of a policy's digest are shown: enough to tell policies apart, and what can be read out.
const DIGITS: usize = 12;

/// The table, with its heads, and without a line feed at the end.
pub fn table(rows: &[Row], long: bool, now: SystemTime) -> String {
    let cells: Vec<[String; COLUMNS]> = rows.iter().map(|row| cells(row, now)).collect();
    let width = |column: usize| {
        let widths = cells.iter().map(|cells| cells[column].chars().count());
        widths.max().unwrap_or(0).max(HEADS[column].len())
    };
    let widths: [usize; COLUMNS] = std::array::from_fn(width);
    let mut text = line(&HEADS.map(str::to_owned), &widths);
    for (row, cells) in rows.iter().zip(&cells) {
        text.push('\n');
        text.push_str(&line(cells, &widths));
        if long {
            details(row).into_iter().for_each(|detail| text.push_str(&format!("\n    {detail}")));
        }
    }
    text
}

fn cells(row: &Row, now: SystemTime) -> [String; COLUMNS] {
    let entry = row.entry;
    let heard = row.last_heard().map_or_else(|| "-".to_owned(), |heard| age(heard, now));
    [escaped(&entry.job), escaped(&entry.site), escaped(&entry.log), entry.stored.to_string(), heard, row.state()]
}

fn line(cells: &[String; COLUMNS], widths: &[usize; COLUMNS]) -> String {
    let mut line = String::new();
    for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let written = match column {
            BYTES => write!(line, "{cell:>width$}  "),
            _ => write!(line, "{cell:<width$}  "),
        };
        written.unwrap_or_default();
    }
    line.truncate(line.trim_end().len());
    line
}

fn details(row: &Row) -> Vec<String> {
    let mut details = Vec::new();
    if !row.reason().is_empty() {
        details.push(escaped(row.reason()));
    }
    details.extend(row.entry.gaps.iter().map(|gap| escaped(&gap.to_string())));
    details.extend(row.handled().iter().map(|handled| {
        let digest = handled.digest.get(..DIGITS).unwrap_or("several policies, not told apart");
        format!("bytes {} to {}: policy {digest}", handled.from, handled.to)
    }));
    details
}

/// How long ago, in the largest unit that has at least one. A time to come, which clocks that differ make, is now.
fn age(heard: SystemTime, now: SystemTime) -> String {
    match now.duration_since(heard).unwrap_or_default().as_secs() {
        0 => "now".to_owned(),
        seconds @ 1..60 => format!("{seconds}s ago"),
        seconds @ 60..3600 => format!("{}m ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{}h ago", seconds / 3600),
        seconds => format!("{}d ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use fedtail::wire::LogEntry;

    use super::super::row::tests::incomplete;
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_is_in_them() {
        let long_name = LogEntry {
            site: "hospital-of-zürich".into(),
            stored: 123_456_789,
            end: None,
            gaps: vec![],
            ..incomplete()
        };
        let entries = [incomplete(), long_name];
        let rows: Vec<_> = entries.iter().map(|entry| Row::new(entry, true)).collect();
        let expected = "\
JOB  SITE                LOG      BYTES  LAST HEARD  STATE
j    a                   log         10  4s ago      incomplete (1 gap)
j    hospital-of-zürich  log  123456789  4s ago      open";
        assert_eq!(table(&rows, false, UNIX_EPOCH + Duration::from_secs(5)), expected);
    }

    #[test]
    fn long_adds_the_reason_the_gaps_and_the_policies() {
        let entry = incomplete();
        let text = table(&[Row::new(&entry, true)], true, UNIX_EPOCH + Duration::from_hours(5));
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "    cut",
                "    5 bytes lost at byte 4 (truncated): log",
                "    bytes 0 to 4: policy abababababab",
                "    bytes 4 to 10: policy cdcdcdcdcdcd",
            ]
        );
    }

    #[test]
    fn an_age_is_in_the_largest_unit_that_fits() {
        let now = UNIX_EPOCH + Duration::from_hours(10_000);
        for (seconds, shown) in [(0, "now"), (59, "59s ago"), (60, "1m ago"), (7199, "1h ago"), (86_400 * 3, "3d ago")]
        {
            assert_eq!(age(now - Duration::from_secs(seconds), now), shown);
        }
        assert_eq!(age(now + Duration::from_secs(5), now), "now");
    }
}
