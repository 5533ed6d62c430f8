//! Judges a log that a policy may change: by what the same policy makes of the same text without any fault.

use super::ledger::Ledger;
use crate::policy::{Kind, Promise};
use crate::wire::{Gap, GapReason};

/// Judges one log.
pub(super) struct Lines {
    pub ledger: Ledger,
    promise: Promise,
    /// Whether each line leaves whole.
    whole: bool,
    /// Whether the source may lose text: then what leaves hangs on where it did.
    destroys: bool,
}

impl Lines {
    pub fn new(promise: Promise, kind: Option<Kind>, destroys: bool) -> Self {
        // Where text is destroyed, so are lines.
        let whole = promise == Promise::Filters && kind == Some(Kind::Streamer) && !destroys;
        Self { ledger: Ledger::default(), promise, whole, destroys }
    }

    /// The store has this now; `ending`: the job has written its last.
    pub fn stored(&mut self, data: &[u8], ending: bool) -> Result<(), String> {
        let shorter = self.ledger.check(data)?;
        let grew = !shorter && data.len() > self.ledger.seen();
        self.ledger.saw(data);
        if self.whole && grew && !ending && !data.ends_with(b"\n") {
            let begin = data.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            return Err(format!(
                "a part of a line is stored, before the rest of it was judged: {}",
                excerpt(&data[begin..])
            ));
        }
        Ok(())
    }

    /// The site sends these bytes of its stream.
    pub fn sent(&mut self, base: u64, bytes: &[u8]) -> Result<(), String> {
        if self.promise == Promise::Other || self.destroys { Ok(()) } else { self.ledger.sent(base, bytes) }
    }

    /// The stream is over, and said whether it is complete. `reference`: what leaves without any fault.
    pub fn over(
        &self,
        complete: bool,
        data: &[u8],
        gaps: &[Gap],
        written: &[u8],
        reference: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<(), String> {
        if complete != gaps.is_empty() && !written.is_empty() && self.promise != Promise::Limits {
            return Err(format!("the outcome says complete: {complete}, with {} gaps", gaps.len()));
        }
        if !self.destroys
            && let Some(gap) =
                gaps.iter().find(|gap| !matches!(gap.reason(), GapReason::Unproven | GapReason::Ambiguous))
        {
            return Err(format!("nothing was destroyed, and a gap is told: {gap}"));
        }
        if self.destroys || !gaps.is_empty() {
            return Ok(());
        }
        match self.promise {
            Promise::Forwards => compare(data, written, "the job wrote"),
            Promise::Filters => compare(data, &reference()?, "leaves without any fault"),
            Promise::Limits => prefix(data, written, "the job wrote"),
            Promise::Other => Ok(()),
        }
    }
}

/// Whether the store has exactly this. `whose` says whose text it is.
pub(super) fn compare(data: &[u8], expected: &[u8], whose: &str) -> Result<(), String> {
    prefix(data, expected, whose)?;
    match expected.get(data.len()..).unwrap_or_default() {
        [] => Ok(()),
        missing => {
            Err(format!("{} bytes are missing at the end, of what {whose}: {}", missing.len(), excerpt(missing)))
        }
    }
}

/// Whether the store has a beginning of this.
pub(super) fn prefix(data: &[u8], expected: &[u8], whose: &str) -> Result<(), String> {
    let same = data.iter().zip(expected).take_while(|(stored, expected)| stored == expected).count();
    if same == data.len() {
        return Ok(());
    }
    let begin = data[..same].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let line =
        |text: &[u8]| text[begin.min(text.len())..].split_inclusive(|byte| *byte == b'\n').next().map(<[u8]>::to_vec);
    let (stored, wanted) = (line(data).unwrap_or_default(), line(expected).unwrap_or_default());
    let number = data[..begin].iter().filter(|byte| **byte == b'\n').count() + 1;
    let stands = |part: &[u8]| part.split_inclusive(|byte| *byte == b'\n').any(|line| line == stored);
    let what = if stands(&expected[..begin]) {
        "a line is stored twice, or out of order"
    } else if stands(&expected[begin.min(expected.len())..]) {
        "lines are missing before this one"
    } else {
        "the line is another one"
    };
    Err(format!(
        "line {number} of what is stored differs from what {whose}: {what}: {} is stored, and {} was to be",
        excerpt(&stored),
        if wanted.is_empty() { "nothing more".into() } else { excerpt(&wanted) },
    ))
}

/// The beginning of a text, fit to be shown.
pub(super) fn excerpt(text: &[u8]) -> String {
    const SHOWN: usize = 80;
    let shown = String::from_utf8_lossy(&text[..text.len().min(SHOWN)]);
    format!("\"{}{}\"", shown.escape_debug(), if text.len() > SHOWN { "…" } else { "" })
}
