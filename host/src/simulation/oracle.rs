//! Knows what the job wrote, and judges what the server has.

use super::job::Fate;
use super::ledger::Ledger;
use crate::wire::{Gap, GapReason};

/// So far two lines can be alike.
const ALIKE: usize = 64;

/// Judges one log whose bytes no policy may change.
#[derive(Default)]
pub(super) struct Oracle {
    pub ledger: Ledger,
    /// Where in the job's text the store may stand: more than one place while equal text leaves it open.
    places: Vec<usize>,
    /// Whether the stream said that the order of files is a guess.
    guessed: bool,
}

impl Oracle {
    pub fn new() -> Self {
        Self { places: vec![0], ..Self::default() }
    }

    /// The store has this now, and has told of these gaps.
    pub fn stored(&mut self, data: &[u8], gaps: &[Gap], written: &[u8], fates: &[Fate]) -> Result<(), String> {
        let mut at = self.ledger.seen();
        if self.ledger.check(data)? {
            // After a loss of power the log begins again at a beginning of itself: all is judged anew.
            at = 0;
            self.places = vec![0];
        }
        if gaps.iter().any(|gap| gap.reason() == GapReason::Ambiguous) {
            // The order of files could not be told, and the stream says so: it may be any.
            self.ledger.saw(data);
            self.guessed = true;
            return Ok(());
        }
        // A gap of unknown size can be of several files, and is told before the first of them.
        let vague = gaps.iter().filter(|gap| gap.lost.is_none()).map(|gap| gap.at).min();
        let mut gaps: Vec<u64> = gaps.iter().map(|gap| gap.at).collect();
        gaps.sort_unstable();
        let may_skip =
            |at: usize| gaps.binary_search(&(at as u64)).is_ok() || vague.is_some_and(|vague| vague <= at as u64);
        let mut skip_until = 0;
        while at < data.len() {
            if let [place] = self.places[..]
                && at >= skip_until
            {
                // One place, as nearly always: compare all at once. Where it differs, something may have been skipped a
                // little earlier, since lines begin alike.
                let rest = written.get(place..).unwrap_or_default();
                let same = rest.iter().zip(&data[at..]).take_while(|(written, data)| written == data).count();
                if at + same == data.len() {
                    self.places[0] = place + same;
                    break;
                }
                skip_until = at + same + 1;
                let sure = same.saturating_sub(ALIKE);
                self.places[0] = place + sure;
                at += sure;
            }
            let mut before = self.places.clone();
            if at < skip_until {
                self.skip(may_skip(at), fates);
            }
            if !self.step(data[at], written) {
                self.places.clone_from(&before);
                self.skip(may_skip(at), fates);
                before.clone_from(&self.places);
                if !self.step(data[at], written) {
                    return Err(wrong(data, at, written, &before, fates));
                }
            }
            at += 1;
        }
        self.ledger.saw(data);
        Ok(())
    }

    /// Goes over one byte. False where it fits at no place.
    fn step(&mut self, byte: u8, written: &[u8]) -> bool {
        self.places.retain_mut(|place| {
            let fits = written.get(*place) == Some(&byte);
            *place += 1;
            fits
        });
        !self.places.is_empty()
    }

    /// At a gap bytes may be missing that were destroyed; anywhere, those that left no trace.
    fn skip(&mut self, at_gap: bool, fates: &[Fate]) {
        let may_miss = |place: usize| match fates.get(place) {
            Some(Fate::Destroyed) => at_gap,
            Some(Fate::Traceless) => true,
            Some(Fate::Kept) | None => false,
        };
        if !self.places.iter().any(|place| may_miss(*place)) {
            return;
        }
        // They are in order, so each run is gone through once.
        let mut places: Vec<usize> = Vec::new();
        for place in &self.places {
            if places.last().is_some_and(|last| last >= place) {
                continue;
            }
            let mut place = *place;
            places.push(place);
            while may_miss(place) {
                place += 1;
                places.push(place);
            }
        }
        self.places = places;
    }

    /// The stream is over, and said whether it is complete.
    pub fn over(&mut self, complete: bool, gaps: &[Gap], written: &[u8], fates: &[Fate]) -> Result<(), String> {
        let seen = self.ledger.seen();
        if let Some(sent) = self.ledger.sent_to().filter(|sent| *sent > seen) {
            return Err(format!("{sent} bytes were sent, and {seen} stored"));
        }
        self.skip(gaps.iter().any(|gap| gap.at == seen as u64 || gap.lost.is_none()), fates);
        if !self.guessed && !self.places.contains(&written.len()) {
            let place = self.places.last().copied().unwrap_or_default();
            let rest = &fates[place..];
            let kept = rest.iter().filter(|fate| **fate == Fate::Kept).count();
            return Err(format!(
                "the end is stored, and {} bytes that the job wrote from byte {place} on are missing; {kept} of them could \
                 have been read, and {} gaps were told",
                rest.len(),
                gaps.len()
            ));
        }
        // A log that was never there when somebody looked is not complete, and has lost nothing that anybody knows of.
        let never_there = !complete && seen == 0 && fates.iter().all(|fate| *fate == Fate::Traceless);
        if complete != gaps.is_empty() && !never_there {
            return Err(format!("the outcome says complete: {complete}, with {} gaps", gaps.len()));
        }
        if fates.iter().all(|fate| *fate == Fate::Kept)
            && let Some(gap) =
                gaps.iter().find(|gap| !matches!(gap.reason(), GapReason::Unproven | GapReason::Ambiguous))
        {
            return Err(format!("nothing was destroyed, and a gap is told: {gap}"));
        }
        Ok(())
    }
}

/// What is wrong about a byte, in words.
fn wrong(data: &[u8], at: usize, written: &[u8], places: &[usize], fates: &[Fate]) -> String {
    let excerpt = |bytes: &[u8], at: usize| {
        let end = bytes.len().min(at + 40);
        String::from_utf8_lossy(&bytes[at.min(end)..end]).escape_debug().to_string()
    };
    let place = places.first().copied().unwrap_or_default();
    let lost = fates.get(place) != Some(&Fate::Kept);
    let elsewhere = {
        let piece = &data[at..data.len().min(at + 24)];
        written.windows(piece.len().max(1)).position(|window| window == piece)
    };
    let what = match elsewhere {
        Some(other) if other < place => format!("bytes from {other} on are stored twice or out of order"),
        Some(other) => format!("bytes {place} to {other} are missing and no gap says so"),
        None => "something is stored that the job did not write".into(),
    };
    format!(
        "{what}: byte {at} of the store begins \"{}\", and byte {place} of what the job wrote{} begins \"{}\"",
        excerpt(data, at),
        if lost { " (destroyed)" } else { "" },
        excerpt(written, place),
    )
}
