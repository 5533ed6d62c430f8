//! Lines out of bytes, through the policy, and where a range can end.

use crate::lines::{Boundary, Lines};

/// As much as one range is made to carry, as a rule: it is sent then, also if more lines are there.
const ENOUGH: usize = 1 << 20;

/// The bytes on their way through the policy. What is not settled is always the end of what was taken.
pub struct Work<P> {
    policy: P,
    /// Bytes that the policy has not seen: the beginning of a line, or more where enough was made.
    pending: Vec<u8>,
    /// Up to where no line feed is in `pending`.
    searched: usize,
    /// How much of a line that is too long was passed over.
    withheld: Option<u64>,
    /// What comes first is the rest of a line.
    within_line: bool,
    /// What the policy let out.
    out: Vec<u8>,
    /// How much of `out` belongs to what is settled; none while nothing new is.
    settled: Option<usize>,
    /// Bytes behind the last place where a range can end that the policy has seen.
    seen_since: u64,
}

impl<P: Lines> Work<P> {
    pub fn new(policy: P) -> Self {
        Self {
            policy,
            pending: Vec::new(),
            searched: 0,
            withheld: None,
            within_line: false,
            out: Vec::new(),
            settled: None,
            seen_since: 0,
        }
    }

    /// What comes first is the rest of a line whose beginning has left.
    pub fn begin_within_line(&mut self) {
        self.within_line = true;
    }

    /// Takes bytes that follow those taken before.
    pub fn take(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// Gives whole lines to the policy, until there is none or enough was made.
    pub fn go_on(&mut self) {
        let mut from = 0;
        while self.settled.is_none_or(|out| out < ENOUGH) {
            let Some(at) = self.pending[self.searched..].iter().position(|byte| *byte == b'\n') else {
                self.searched = self.pending.len();
                break;
            };
            let end = self.searched + at + 1;
            self.searched = end;
            let line = from..end;
            from = end;
            self.line(line);
        }
        self.pending.drain(..from);
        self.searched = self.searched.saturating_sub(from);
        let has_no_line = self.searched == self.pending.len();
        if has_no_line && (self.withheld.is_some() || self.pending.len() > P::LONGEST) {
            let length = self.pending.len() as u64;
            self.withheld = Some(self.withheld.unwrap_or(0).saturating_add(length));
            self.seen_since = self.seen_since.saturating_add(length);
            self.pending.clear();
            self.searched = 0;
        }
    }

    /// One line, which is within `pending`.
    fn line(&mut self, line: std::ops::Range<usize>) {
        let length = line.len() as u64;
        let line = &self.pending[line];
        let before = (self.out.len(), self.seen_since);
        let is_whole = !std::mem::take(&mut self.within_line);
        match self.withheld.take() {
            Some(passed) => self.policy.too_long(passed.saturating_add(length), &mut self.out),
            None if line.len() > P::LONGEST => self.policy.too_long(length, &mut self.out),
            None if is_whole => self.policy.line(line, &mut self.out),
            None => self.policy.rest(line, &mut self.out),
        }
        self.seen_since = before.1.saturating_add(length);
        match self.policy.boundary() {
            Boundary::Behind => (self.settled, self.seen_since) = (Some(self.out.len()), 0),
            // There is a place before the line only if something is there that was not settled.
            Boundary::Before if before.1 > 0 || self.settled.is_some() => {
                (self.settled, self.seen_since) = (Some(before.0), length);
            }
            Boundary::Before | Boundary::Neither => {}
        }
    }

    /// Whether there is something new whose range can end.
    pub fn is_settled(&self) -> bool {
        self.settled.is_some()
    }

    /// How many bytes, at the end of what was taken, are not settled.
    pub fn unsettled(&self) -> u64 {
        self.seen_since + self.pending.len() as u64
    }

    /// What the policy made of all that is settled.
    pub fn settled_out(&mut self) -> Vec<u8> {
        let out = self.settled.take().unwrap_or(0);
        let rest = self.out.split_off(out);
        std::mem::replace(&mut self.out, rest)
    }

    /// Settles what the policy has seen, though it asks for more; none if it has seen nothing.
    pub fn settle(&mut self) -> Option<Vec<u8>> {
        if self.seen_since == 0 {
            return None;
        }
        self.seen_since = 0;
        Some(self.all_out())
    }

    /// Gives the policy a last line without line feed.
    pub fn finish(&mut self) {
        // What enough was made of before is seen now.
        while !self.pending.is_empty() {
            self.settled = None;
            let before = self.pending.len();
            self.go_on();
            if self.pending.len() == before {
                self.line(0..before);
                self.pending.clear();
                self.searched = 0;
            }
        }
        if let Some(passed) = self.withheld.take() {
            self.policy.too_long(passed, &mut self.out);
        }
    }

    /// All that the policy let out.
    pub fn all_out(&mut self) -> Vec<u8> {
        self.settled = None;
        std::mem::take(&mut self.out)
    }

    /// Puts back what could not be sent.
    pub fn give_back(&mut self, out: Vec<u8>) {
        self.out = out;
    }

    /// Whether nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.out.is_empty() && self.withheld.is_none()
    }
}
