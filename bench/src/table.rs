//! The table that is printed.

use std::fmt;

/// Rows of what was measured.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 5]>,
}

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// At least this.
    AtLeast(f64),
    /// At most this.
    AtMost(f64),
}

impl Target {
    fn holds(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }
}

impl Table {
    /// A row: what was measured, of fedtail and of the pipe where it was measured. `judged` is what is held against the
    /// target (a ratio, or the figure itself) and its unit.
    pub fn row(&mut self, what: &str, fedtail: String, pipe: Option<String>, judged: Option<(f64, &str, Target)>) {
        let (ratio, target) = match judged {
            None => (String::new(), String::new()),
            Some((value, unit, target)) => {
                let words = match target {
                    Target::AtLeast(least) => format!("≥ {least}{unit}"),
                    Target::AtMost(most) => format!("≤ {most}{unit}"),
                };
                let verdict = if target.holds(value) { "PASS" } else { "FAIL" };
                (format!("{value:.2}{unit}"), format!("{words}: {verdict}"))
            }
        };
        self.rows.push([what.into(), fedtail, pipe.unwrap_or_else(|| "-".into()), ratio, target]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = ["", "fedtail", "tail, socat", "compared", "target"].map(String::from);
        let width =
            |column: usize| self.rows.iter().chain([&header]).map(|row| row[column].chars().count()).max().unwrap_or(0);
        let widths = [0, 1, 2, 3, 4].map(width);
        let line = |f: &mut fmt::Formatter<'_>, row: &[String; 5]| {
            for (cell, width) in row.iter().zip(widths) {
                write!(f, "| {cell:<width$} ")?;
            }
            writeln!(f, "|")
        };
        line(f, &header)?;
        line(f, &widths.map(|width| "-".repeat(width)))?;
        self.rows.iter().try_for_each(|row| line(f, row))
    }
}
