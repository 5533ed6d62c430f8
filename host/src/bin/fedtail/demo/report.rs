//! The table at the end: whether what is stored is what was recorded, and how long it took to get there.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use super::delay::Delays;

/// How what is stored compares with what was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    Identical,
    /// The offset of the first byte that differs, or that only one of the two has, and their lengths.
    Differs {
        at: usize,
        stored: usize,
        recorded: usize,
    },
    /// In words.
    Unreadable(String),
}

/// Compares a stored file with a recorded log.
pub fn compare(stored: &Path, recorded: &[u8]) -> Comparison {
    match std::fs::read(stored) {
        Ok(stored) if stored == recorded => Comparison::Identical,
        Ok(stored) => Comparison::Differs {
            at: stored.iter().zip(recorded).take_while(|(stored, recorded)| stored == recorded).count(),
            stored: stored.len(),
            recorded: recorded.len(),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => Comparison::Unreadable("it is not in the store".into()),
        Err(e) => Comparison::Unreadable(format!("{} cannot be read: {e}", stored.display())),
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Identical => f.write_str("identical"),
            Self::Differs { at, stored, recorded } => {
                write!(f, "NOT identical: first difference at byte {at} ({stored} bytes stored, {recorded} recorded)")
            }
            Self::Unreadable(why) => write!(f, "NOT identical: {why}"),
        }
    }
}

/// One log's line of the table.
pub struct Row {
    pub site: String,
    pub log: String,
    pub bytes: usize,
    pub lines: usize,
    /// None for a log without lines.
    pub delays: Option<Delays>,
    pub comparison: Comparison,
    pub rotated: bool,
}

/// The table.
pub struct Report {
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether every log is.
    pub fn all_identical(&self) -> bool {
        self.rows.iter().all(|row| row.comparison == Comparison::Identical)
    }
}

const HEADINGS: [&str; 7] = ["site", "log", "bytes", "lines", "median delay", "worst delay", "in the store"];
/// Which columns are text, and so stand at the left.
const TEXT: [bool; 7] = [true, true, false, false, false, false, true];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
        let delay = |delay: Option<Duration>| delay.map_or("-".into(), milliseconds);
        let mut table = vec![HEADINGS.map(str::to_owned)];
        for row in &self.rows {
            table.push([
                row.site.clone(),
                row.log.clone(),
                row.bytes.to_string(),
                row.lines.to_string(),
                delay(row.delays.map(|delays| delays.median)),
                delay(row.delays.map(|delays| delays.worst)),
                format!("{}{}", row.comparison, if row.rotated { ", rotated on the way" } else { "" }),
            ]);
        }
        let widths: [usize; 7] =
            std::array::from_fn(|column| table.iter().map(|cells| cells[column].chars().count()).max().unwrap_or(0));
        for cells in &table {
            let mut line = String::new();
            for (column, cell) in cells.iter().enumerate() {
                let width = widths[column];
                line += &if TEXT[column] { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        let bytes: usize = self.rows.iter().map(|row| row.bytes).sum();
        let lines: usize = self.rows.iter().map(|row| row.lines).sum();
        let wrong = self.rows.iter().filter(|row| row.comparison != Comparison::Identical).count();
        write!(f, "{} logs, {bytes} bytes, {lines} lines: ", self.rows.len())?;
        match wrong {
            0 => f.write_str("all identical to what was written"),
            wrong => write!(f, "{wrong} NOT identical to what was written"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(bytes: &[u8]) -> Comparison {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        compare(file.path(), b"recorded")
    }

    fn row(log: &str, comparison: Comparison) -> Row {
        let delays = Delays { median: Duration::from_micros(1840), worst: Duration::from_millis(1234) };
        Row {
            site: "site-1".into(),
            log: log.into(),
            bytes: 8,
            lines: 2,
            delays: Some(delays),
            comparison,
            rotated: false,
        }
    }

    #[test]
    fn a_stored_file_that_was_corrupted_is_not_identical_and_the_first_difference_is_named() {
        assert_eq!(stored(b"recorded"), Comparison::Identical);
        for (bytes, at) in [(&b"recOrdEd"[..], 3), (b"", 0), (b"record", 6), (b"recorded twice", 8)] {
            let comparison = stored(bytes);
            assert_eq!(comparison, Comparison::Differs { at, stored: bytes.len(), recorded: 8 });
            let words = comparison.to_string();
            assert!(words.starts_with(&format!("NOT identical: first difference at byte {at} ")), "{words}");
        }
    }

    #[test]
    fn a_log_that_is_not_stored_is_not_identical_even_if_it_is_empty() {
        let directory = tempfile::tempdir().unwrap();
        let comparison = compare(&directory.path().join("error_log.txt"), b"");
        assert_eq!(comparison.to_string(), "NOT identical: it is not in the store");
    }

    #[test]
    fn the_table_stands_in_columns_and_says_the_sum() {
        let mut empty = row("error_log.txt", Comparison::Identical);
        (empty.bytes, empty.lines, empty.delays) = (0, 0, None);
        let mut rotated = row("log.txt", Comparison::Identical);
        rotated.rotated = true;
        let report = Report { rows: vec![rotated, empty] };
        assert!(report.all_identical());
        assert_eq!(
            report.to_string(),
            "\
site    log            bytes  lines  median delay  worst delay  in the store
site-1  log.txt            8      2        1.8 ms    1234.0 ms  identical, rotated on the way
site-1  error_log.txt      0      0             -            -  identical
2 logs, 8 bytes, 2 lines: all identical to what was written"
        );
    }

    #[test]
    fn one_log_that_differs_spoils_the_whole() {
        let report = Report { rows: vec![row("a", Comparison::Identical), row("b", stored(b"recorder"))] };
        assert!(!report.all_identical());
        let table = report.to_string();
        assert!(table.contains("NOT identical: first difference at byte 7 (8 bytes stored, 8 recorded)\n"), "{table}");
        assert!(table.ends_with("2 logs, 16 bytes, 4 lines: 1 NOT identical to what was written"), "{table}");
    }
}
