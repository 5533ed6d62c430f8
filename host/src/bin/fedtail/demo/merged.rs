//! Prints the lines of all logs as they arrive, each behind its site and log.

use std::io::IsTerminal;
use std::sync::mpsc::Receiver;

use super::follow::Arrived;
use super::recording::Log;
use crate::out;

/// Colours of sites on a terminal: cyan, yellow, magenta, green.
const COLOURS: [u8; 4] = [36, 33, 35, 32];

/// What stands before the lines of each log.
pub struct Prefixes(Vec<String>);

impl Prefixes {
    /// One width for all; in colours where people read.
    pub fn new(logs: &[Log]) -> Self {
        let coloured =
            std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let name = |log: &Log| format!("{} {}", log.key.site, log.key.log);
        // A log without lines needs no room.
        let width = logs.iter().filter(|log| !log.text.is_empty()).map(|log| name(log).len()).max().unwrap_or(0);
        let mut sites: Vec<_> = logs.iter().map(|log| &log.key.site).collect();
        sites.dedup();
        let prefix = |log: &Log| {
            let name = name(log);
            let site = sites.iter().position(|site| **site == log.key.site).unwrap_or(0);
            match coloured {
                true => format!("\x1b[{}m{name:<width$} |\x1b[0m ", COLOURS[site % COLOURS.len()]),
                false => format!("{name:<width$} | "),
            }
        };
        Self(logs.iter().map(prefix).collect())
    }

    /// Prints until nobody sends any more. Blocks while the terminal does, so nobody who measures waits for it.
    pub fn print(self, lines: Receiver<Arrived>) {
        for (log, line) in lines {
            out::line(format_args!("{}{}", self.0[log], String::from_utf8_lossy(&line)));
        }
    }
}
