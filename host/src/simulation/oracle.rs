//! Knows what the job wrote, and judges what the server has.

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
    pub fn stored(&mut self, data: &[u8], gaps: &[Gap], written: &[u8], destroyed: &[bool]) -> Result<(), String> {
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
            if gaps.binary_search(&(at as u64)).is_ok() {
                self.over_gap(destroyed);
            }
            let next_gap =
                gaps.iter().find(|gap| **gap > at as u64).map_or(data.len(), |gap| data.len().min(*gap as usize));
            if let [place] = self.places[..] {
                // One place, as nearly always: compare all at once.
                let length = next_gap - at;
                if written.get(place..place + length) == Some(&data[at..next_gap]) {
                    self.places[0] += length;
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
                return Err(wrong(data, at, written, &before, destroyed));
            }
            at += 1;
        }
        self.seen.extend_from_slice(&data[self.seen.len()..]);
        Ok(())
    }

    /// At a gap bytes may be missing that were destroyed.
    fn over_gap(&mut self, destroyed: &[bool]) {
        let mut places = Vec::new();
        for place in &self.places {
            let mut place = *place;
            places.push(place);
            while destroyed.get(place) == Some(&true) {
                place += 1;
                places.push(place);
            }
        }
        places.sort_unstable();
        places.dedup();
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
    pub fn over(&mut self, complete: bool, gaps: &[Gap], written: &[u8], destroyed: &[bool]) -> Result<(), String> {
        let sent = self.sent_from + self.sent.len();
        if !self.sent.is_empty() && sent > self.seen.len() {
            return Err(format!("{sent} bytes were sent, and {} stored", self.seen.len()));
        }
        if gaps.iter().any(|gap| gap.at == self.seen.len() as u64) {
            self.over_gap(destroyed);
        }
        if !self.places.contains(&written.len()) {
            let place = self.places.last().copied().unwrap_or_default();
            let rest = &destroyed[place..];
            let kept = rest.iter().filter(|destroyed| !**destroyed).count();
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
        if complete && self.seen != written {
            return Err("the outcome says complete, and the store is not what the job wrote".into());
        }
        if !destroyed.contains(&true)
            && let Some(gap) =
                gaps.iter().find(|gap| !matches!(gap.reason(), GapReason::Unproven | GapReason::Ambiguous))
        {
            return Err(format!("nothing was destroyed, and a gap is told: {gap}"));
        }
        Ok(())
    }
}

/// What is wrong about a byte, in words.
fn wrong(data: &[u8], at: usize, written: &[u8], places: &[usize], destroyed: &[bool]) -> String {
    let excerpt = |bytes: &[u8], at: usize| {
        let end = bytes.len().min(at + 40);
        String::from_utf8_lossy(&bytes[at.min(end)..end]).escape_debug().to_string()
    };
    let place = places.first().copied().unwrap_or_default();
    let lost = destroyed.get(place) == Some(&true);
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
