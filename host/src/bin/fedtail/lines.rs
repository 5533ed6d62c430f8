//! Merging logs line by line.

use std::collections::HashMap;
use std::io::{self, Write};

use fedtail::wire::TailChunk;

use crate::escape::{escape, escaped};

/// A line that is longer is shown in pieces of this many bytes, so that a log without line feeds can't fill the memory.
const LONGEST: usize = 64 << 10;

/// The colours of prefixes, given to sites in the order in which they come: those that can be read on light and on dark.
const COLOURS: [&str; 6] = ["36", "33", "32", "35", "34", "31"];

/// How logs are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// Byte for byte as it is stored; for one log.
    Raw,
    /// Whole lines, escaped; for one log on a terminal.
    Plain,
    /// Whole lines, escaped, each behind `site log | `.
    Prefixed {
        /// The prefix in a colour for each site.
        coloured: bool,
    },
}

/// Shows chunks of several logs.
pub struct Merge<W: Write> {
    out: W,
    show: Show,
    logs: HashMap<(String, String), Shown>,
    colours: HashMap<String, &'static str>,
}

/// How far a log was shown.
struct Shown {
    /// Before a line, and before the further pieces of one that is shown in several.
    prefixes: [Vec<u8>; 2],
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
    /// What comes next is not the beginning of its line.
    goes_on: bool,
}

impl<W: Write> Merge<W> {
    pub fn new(out: W, show: Show) -> Self {
        Self { out, show, logs: HashMap::new(), colours: HashMap::new() }
    }

    /// Shows what is whole of a chunk, at once.
    pub fn take(&mut self, chunk: TailChunk) -> io::Result<()> {
        if self.show == Show::Raw {
            self.out.write_all(&chunk.payload)?;
            return self.out.flush();
        }
        if chunk.payload.is_empty() && !chunk.ended {
            return Ok(());
        }
        let key = (chunk.site, chunk.log);
        if !self.logs.contains_key(&key) {
            let prefixes = self.prefixes(&key.0, &key.1);
            self.logs.insert(key.clone(), Shown { prefixes, held: Vec::new(), goes_on: false });
        }
        let Some(shown) = self.logs.get_mut(&key) else { return Ok(()) };
        let mut rest = &chunk.payload[..];
        let mut text = Vec::new();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            shown.add(&rest[..end], &mut text);
            shown.end_line(&mut text);
            rest = &rest[end + 1..];
        }
        shown.add(rest, &mut text);
        if chunk.ended {
            shown.end_piece(&mut text);
        }
        self.out.write_all(&text)?;
        self.out.flush()
    }

    /// Shows the last lines that have no line feed.
    pub fn finish(&mut self) -> io::Result<()> {
        let mut last: Vec<_> = self.logs.iter_mut().collect();
        last.sort_by_key(|(a, _)| *a);
        let mut text = Vec::new();
        last.into_iter().for_each(|(_, shown)| shown.end_piece(&mut text));
        self.out.write_all(&text)?;
        self.out.flush()
    }

    fn prefixes(&mut self, site: &str, log: &str) -> [Vec<u8>; 2] {
        let Show::Prefixed { coloured } = self.show else { return Default::default() };
        let next = COLOURS[self.colours.len() % COLOURS.len()];
        let colour = *self.colours.entry(site.to_owned()).or_insert(next);
        ['|', '+'].map(|sign| {
            let prefix = format!("{} {} {sign}", escaped(site), escaped(log));
            if coloured { format!("\x1b[{colour}m{prefix}\x1b[0m ") } else { format!("{prefix} ") }.into_bytes()
        })
    }
}

impl Shown {
    /// Holds more of a line, and shows what is too long to be held.
    fn add(&mut self, mut part: &[u8], text: &mut Vec<u8>) {
        while self.held.len() + part.len() > LONGEST {
            let fits = LONGEST - self.held.len();
            self.held.extend_from_slice(&part[..fits]);
            part = &part[fits..];
            // A character that is cut here is shown whole with the next piece.
            let cut = whole_characters(&self.held);
            let over = self.held.split_off(cut);
            self.end_piece(text);
            self.held = over;
        }
        self.held.extend_from_slice(part);
    }

    /// The line is whole.
    fn end_line(&mut self, text: &mut Vec<u8>) {
        // The line feed of a line whose pieces were all shown is no line of its own.
        if !self.held.is_empty() || !self.goes_on {
            // The other half of a line end as some systems write it.
            if self.held.last() == Some(&b'\r') {
                self.held.pop();
            }
            self.show(text);
        }
        self.goes_on = false;
    }

    /// Shows what is held as a line, if there is something; the rest of the line may follow.
    fn end_piece(&mut self, text: &mut Vec<u8>) {
        if !self.held.is_empty() {
            self.show(text);
            self.goes_on = true;
        }
    }

    fn show(&mut self, text: &mut Vec<u8>) {
        text.extend_from_slice(&self.prefixes[usize::from(self.goes_on)]);
        escape(&self.held, text);
        text.push(b'\n');
        self.held.clear();
    }
}

/// How many bytes at the beginning don't end in the middle of a character.
fn whole_characters(bytes: &[u8]) -> usize {
    // A character has at most four bytes, and only its first one looks like a first one.
    let Some(first) = bytes.iter().rposition(|byte| byte & 0xc0 != 0x80) else { return bytes.len() };
    match std::str::from_utf8(&bytes[first..]) {
        Err(error) if error.error_len().is_none() && first > 0 => first,
        _ => bytes.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(show: Show, chunks: &[(&str, &str, bool)]) -> String {
        let mut out = Vec::new();
        let mut merge = Merge::new(&mut out, show);
        for (site, payload, ended) in chunks {
            let payload = payload.as_bytes().to_vec().into();
            let chunk = TailChunk { site: (*site).into(), log: "log".into(), payload, ended: *ended, note: "".into() };
            merge.take(chunk).unwrap();
        }
        merge.finish().unwrap();
        String::from_utf8(out).unwrap()
    }

    const PREFIXED: Show = Show::Prefixed { coloured: false };

    #[test]
    fn a_line_is_shown_when_its_line_feed_comes_whatever_comes_between() {
        let chunks = [("a", "one, be", false), ("b", "two\n", false), ("a", "gun\nthree\n\n", false)];
        assert_eq!(merge(PREFIXED, &chunks), "b log | two\na log | one, begun\na log | three\na log | \n");
    }

    #[test]
    fn a_last_line_without_a_line_feed_is_shown_at_the_end() {
        let chunks = [("b", "two", false), ("a", "one", false), ("c", "", false)];
        assert_eq!(merge(PREFIXED, &chunks), "a log | one\nb log | two\n");
    }

    #[test]
    fn the_end_of_a_stream_ends_its_line_and_what_follows_late_goes_on() {
        let chunks = [("a", "one", true), ("b", "two\n", false), ("a", " more\nnext\n", false)];
        assert_eq!(merge(PREFIXED, &chunks), "a log | one\nb log | two\na log +  more\na log | next\n");
        let chunks = [("a", "one", true), ("a", "\nnext\n", false)];
        assert_eq!(merge(PREFIXED, &chunks), "a log | one\na log | next\n", "a late line feed is no line");
    }

    #[test]
    fn an_endless_line_is_shown_in_pieces_between_characters() {
        let long = format!("{}ü{}", "x".repeat(LONGEST - 1), "y".repeat(10));
        let shown = merge(PREFIXED, &[("a", &long, false), ("a", "z\n", false)]);
        assert_eq!(shown, format!("a log | {}\na log + ü{}z\n", "x".repeat(LONGEST - 1), "y".repeat(10)));
        let endless = "x".repeat(3 * LONGEST);
        let shown = merge(PREFIXED, &[("a", &endless, false)]);
        assert_eq!(shown.lines().map(|line| line.len() - "a log | ".len()).collect::<Vec<_>>(), [LONGEST; 3]);
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_where_they_have_to_be() {
        assert_eq!(whole_characters(&[0x80; 8]), 8);
        assert_eq!(whole_characters("aü".as_bytes()), 3);
        assert_eq!(whole_characters(&"aü".as_bytes()[..2]), 1);
        assert_eq!(whole_characters(&"ü".as_bytes()[..1]), 1);
        assert_eq!(whole_characters(b"a\xff"), 2);
    }

    #[test]
    fn a_log_cannot_steer_the_terminal_and_its_name_neither() {
        let chunks = [("s\u{202e}", "\x1b[2Jx\r\n", false)];
        assert_eq!(merge(PREFIXED, &chunks), "s\\u{202e} log | \\x1b[2Jx\n");
        assert_eq!(merge(Show::Plain, &chunks), "\\x1b[2Jx\n");
    }

    #[test]
    fn raw_is_byte_for_byte() {
        assert_eq!(merge(Show::Raw, &[("a", "\x1b x\r\n\0", false), ("a", "y", true)]), "\x1b x\r\n\0y");
    }

    #[test]
    fn each_site_has_its_colour_and_only_the_prefix_is_coloured() {
        let shown = merge(Show::Prefixed { coloured: true }, &[("a", "1\n", false), ("b", "2\n", false)]);
        assert_eq!(shown, "\x1b[36ma log |\x1b[0m 1\n\x1b[33mb log |\x1b[0m 2\n");
    }
}
