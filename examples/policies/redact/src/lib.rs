//! A streamer policy that takes e-mail addresses, IP addresses and patient-like ids out of each line before it leaves the
//! site.
//!
//! | setting | what it does |
//! | --- | --- |
//! | `email = off`, `ip = off`, `patient = off` | leaves such things in |
//! | `pattern.NAME = REGEX` | takes out what matches, too; `[NAME]` stands in its place |
//!
//! Patterns are [regular expressions](regex::bytes) over bytes, without Unicode classes, matched within a line. Each is
//! applied to what those before it have left, built-in ones first, then the site's own in the order of their names in the
//! configuration.
//!
//! What is not seen whole can't be judged: a line of more than a megabyte is withheld, and so is the rest of a line whose
//! beginning left before this policy came into force. Redaction by pattern finds what looks like its patterns; it is no
//! proof that nothing else identifies a person.

#![deny(missing_docs, unsafe_code)]

use fedtail_policy_sdk::{Custom, Lines};
use regex::bytes::{Regex, RegexBuilder};

/// What is taken out without being asked for: the name that switches it off, the pattern, and what stands in its place.
const BUILT_IN: [(&str, &str, &str); 3] = [
    ("email", r"(?i)[a-z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+", "[email]"),
    (
        "ip",
        // Version 4; version 6 in full, or shortened with at least one group before `::`, so that a time of day is none.
        r"(?x) \b (?: (?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d) \. ){3} (?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d) \b
            | (?i: \b (?:[0-9a-f]{1,4}:){7} [0-9a-f]{1,4} \b
            | \b [0-9a-f]{1,4} (?: : [0-9a-f]{1,4} ){0,6} :: (?: [0-9a-f]{1,4} (?: : [0-9a-f]{1,4} ){0,6} \b )? )",
        "[ip]",
    ),
    (
        "patient",
        // A word for it, then an id with a digit in it; what study files are named after (`sub-0042`); a number like a
        // social security number.
        r#"(?ix) (?<keep> \b (?: patient | subject | mrn | pat ) (?: [ _-]? (?: id | no | number ) )? ["']? \s* [\s:=\#_-] \s* ["']? )
                 [a-z_.-]* \d [a-z0-9_.-]*
            | \b (?<sub> sub- ) \d+ \b
            | \b \d{3} - \d{2} - \d{4} \b"#,
        "${keep}${sub}[patient]",
    ),
];

/// The policy.
struct Redact {
    patterns: Vec<(Regex, Vec<u8>)>,
}

impl Redact {
    fn redacted(&self, line: &[u8]) -> Vec<u8> {
        self.patterns.iter().fold(line.to_vec(), |line, (pattern, instead)| match pattern.is_match(&line) {
            true => pattern.replace_all(&line, instead.as_slice()).into_owned(),
            false => line,
        })
    }
}

impl Lines for Redact {
    fn start(custom: &mut Custom) -> Result<Self, String> {
        let mut patterns = Vec::new();
        for (name, pattern, instead) in BUILT_IN {
            match custom.take(name).as_deref() {
                None | Some("on") => patterns.push((compiled(name, pattern)?, instead.as_bytes().to_vec())),
                Some("off") => {}
                Some(other) => return Err(format!("the setting `{name}` is {other:?}, and has to be on or off")),
            }
        }
        for (name, pattern) in custom.take_all("pattern.") {
            // A name with a dollar sign would be read as a group of the pattern.
            let instead = format!("[{}]", name.replace('$', "$$"));
            patterns.push((compiled(&format!("pattern.{name}"), &pattern)?, instead.into_bytes()));
        }
        Ok(Self { patterns })
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        // The line feed is no part of what a pattern sees, so none can join two lines.
        let (text, end) = match line.strip_suffix(b"\n") {
            Some(text) => (text, &b"\n"[..]),
            None => (line, &b""[..]),
        };
        out.extend(self.redacted(text));
        out.extend_from_slice(end);
    }

    fn rest(&mut self, rest: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"[the rest of a line was withheld]");
        if rest.ends_with(b"\n") {
            out.push(b'\n');
        }
    }
}

fn compiled(setting: &str, pattern: &str) -> Result<Regex, String> {
    // The defaults of 10 MiB and 2 MiB would leave an instance little of its memory when there are several patterns.
    let built = RegexBuilder::new(pattern).unicode(false).size_limit(1 << 20).dfa_size_limit(1 << 20).build();
    built.map_err(|error| format!("the setting `{setting}` is no pattern: {error}"))
}

fedtail_policy_sdk::streamer!(Redact);

#[cfg(test)]
mod tests;
