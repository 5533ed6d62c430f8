//! What the program prints. A reader that goes away (`| head`) is no error and no panic.

use std::io::Write;

/// A line on standard output, at once.
pub fn line(line: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Text of lines that are whole, on standard output.
pub fn text(text: impl std::fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = write!(out, "{text}").and_then(|()| out.flush());
}

/// A line on standard error.
pub fn note(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Why the program ends.
pub fn error(words: impl std::fmt::Display) {
    note(format_args!("fedtail: error: {words}"));
}
