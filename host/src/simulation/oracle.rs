//! Knows what the job wrote, and judges what the server has.

use super::job::Fate;
use crate::wire::{Gap, GapReason};

/// Judges one log.
#[derive(Default)]
pub(super) struct Oracle {
    /// What was seen in the store.
    seen: Vec<u8>,
    /// Where in the job's text the store may stand: more than one place while equal text leaves it open.
    places: Vec<usize>,
    /// What the site was told to be stored.
    acknowledged: u64,
    /// What the site's process has sent, and from which byte of the stream on.
    sent: Vec<u8>,
    sent_from: usize,
}

impl Oracle {
    pub fn new() -> Self {
        Self { places: vec![0], ..Self::default() }
    }

    /// The store has this now, and has told of these gaps.
    pub fn stored(&mut self, data: &[u8], gaps: &[Gap], written: &[u8], fates: &[Fate]) -> Result<(), String> {
        if (data.len() as u64) < self.acknowledged {
            return Err(format!(
                "{} bytes were acknowledged, and the store has {} of them",
                self.acknowledged,
                data.len()
            ));
        }
        let same = data.iter().zip(&self.seen).take_while(|(now, before)| now == before).count();
        if same < data.len().min(self.seen.len()) {
            return Err(format!("byte {same} of the store was changed after it was there"));
        }
        if data.len() < self.seen.len() {
            // After a loss of power the log begins again at a beginning of itself: all is judged anew.
            self.seen.clear();
            self.places = vec![0];
        }
        let mut gaps: Vec<u64> = gaps.iter().map(|gap| gap.at).collect();
        gaps.sort_unstable();
        let mut at = self.seen.len();
        while at < data.len() {
            self.skip(gaps.binary_search(&(at as u64)).is_ok(), fates);
            let next_gap =
                gaps.iter().find(|gap| **gap > at as u64).map_or(data.len(), |gap| data.len().min(*gap as usize));
            if let [place] = self.places[..] {
                // One place, as nearly always: compare all at once.
                let end = place + next_gap - at;
                if written.get(place..end) == Some(&data[at..next_gap])
                    && !fates[place..fates.len().min(end + 1)].contains(&Fate::Traceless)
                {
                    self.places[0] = end;
                    at = next_gap;
                    continue;
                }
            }
            let byte = data[at];
            let before = self.places.clone();
            self.places.retain_mut(|place| {
                let fits = written.get(*place) == Some(&byte);
                *place += 1;
                fits
            });
            if self.places.is_empty() {
                return Err(wrong(data, at, written, &before, fates));
            }
            at += 1;
        }
        self.seen.extend_from_slice(&data[self.seen.len()..]);
        Ok(())
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

    /// The site is told that so many bytes are stored.
    pub fn acknowledged(&mut self, stored: u64) {
        self.acknowledged = self.acknowledged.max(stored);
    }

    /// The power failed and nothing was flushed: what was acknowledged may be gone.
    pub fn forgive(&mut self) {
        self.acknowledged = 0;
        self.sent.clear();
    }

    /// The site sends these bytes of its stream. Whoever sends a byte twice sends the same.
    pub fn sent(&mut self, base: u64, bytes: &[u8]) -> Result<(), String> {
        let base = base as usize;
        if base < self.sent_from || base > self.sent_from + self.sent.len() {
            self.sent_from = base;
            self.sent.clear();
        }
        let at = base - self.sent_from;
        let known = (self.sent.len() - at).min(bytes.len());
        if self.sent[at..at + known] != bytes[..known] {
            return Err(format!("bytes from {base} on were sent a second time, and were not the same"));
        }
        self.sent.extend_from_slice(&bytes[known..]);
        Ok(())
    }

    /// The site's process ended: what it had sent, nobody has to know any more.
    pub fn site_ended(&mut self) {
        self.sent.clear();
    }

    /// The stream is over, and said whether it is complete.
    pub fn over(&mut self, complete: bool, gaps: &[Gap], written: &[u8], fates: &[Fate]) -> Result<(), String> {
        let sent = self.sent_from + self.sent.len();
        if !self.sent.is_empty() && sent > self.seen.len() {
            return Err(format!("{sent} bytes were sent, and {} stored", self.seen.len()));
        }
        self.skip(gaps.iter().any(|gap| gap.at == self.seen.len() as u64), fates);
        if !self.places.contains(&written.len()) {
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
        if complete != gaps.is_empty() {
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
