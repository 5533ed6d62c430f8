//! What holds for every policy: a store only grows, has what it acknowledged, and gets a second time what it got first.

/// What was seen in the store, acknowledged, and sent.
#[derive(Default)]
pub(super) struct Ledger {
    /// What was seen in the store.
    seen: Vec<u8>,
    /// What the site was told to be stored.
    acknowledged: u64,
    /// What the site's process has sent, and from which byte of the stream on.
    sent: Vec<u8>,
    sent_from: usize,
}

impl Ledger {
    /// The store has this now. Returns whether it has less than was seen in it, as after a loss of power.
    pub fn check(&self, data: &[u8]) -> Result<bool, String> {
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
        Ok(data.len() < self.seen.len())
    }

    /// How much was seen in the store.
    pub fn seen(&self) -> usize {
        self.seen.len()
    }

    /// The store was judged up to here.
    pub fn saw(&mut self, data: &[u8]) {
        self.seen.truncate(data.len());
        self.seen.extend_from_slice(&data[self.seen.len()..]);
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

    /// Up to which byte of the stream the site's process has sent, if it has sent anything.
    pub fn sent_to(&self) -> Option<usize> {
        (!self.sent.is_empty()).then_some(self.sent_from + self.sent.len())
    }

    /// The site's process ended: what it had sent, nobody has to know any more.
    pub fn site_ended(&mut self) {
        self.sent.clear();
    }
}
