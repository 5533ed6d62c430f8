//! A host whose window is narrowed to what may leave.

use fedtail_policy_sdk::host::{Host, Level, Nanos, SendError, SourceError, Successor};

use crate::Bucket;

/// The host behind it, with a window that is no wider than the bucket is full. All else is the host's.
pub struct Throttle<H> {
    pub host: H,
    pub bucket: Bucket,
    /// Whether the window was closed by the bucket.
    pub waits: bool,
}

impl<H: Host> Host for Throttle<H> {
    type File = H::File;
    type Chunk = H::Chunk;
    type Gap = H::Gap;

    fn window(&mut self) -> u64 {
        let window = self.host.window();
        if window == 0 {
            return 0;
        }
        let now = self.host.now();
        let ready = self.bucket.ready(now);
        self.waits = ready == 0;
        window.min(ready)
    }

    fn send(&mut self, data: &H::Chunk, file: &H::File, reached: u64) -> Result<(), SendError> {
        let length = u64::from(self.host.len(data));
        self.host.send(data, file, reached)?;
        self.bucket.take(length);
        Ok(())
    }

    fn now(&mut self) -> Nanos {
        self.host.now()
    }

    fn resume(&mut self) -> Result<Successor<H::File, H::Gap>, SourceError> {
        self.host.resume()
    }

    fn after(&mut self, file: &H::File) -> Result<Successor<H::File, H::Gap>, SourceError> {
        self.host.after(file)
    }

    fn size(&mut self, file: &H::File) -> Result<u64, SourceError> {
        self.host.size(file)
    }

    fn read(&mut self, file: &H::File, offset: u64, max: u32) -> Result<H::Chunk, SourceError> {
        self.host.read(file, offset, max)
    }

    fn len(&mut self, chunk: &H::Chunk) -> u32 {
        self.host.len(chunk)
    }

    fn report_gap(&mut self, lost: &H::Gap) -> Result<(), SendError> {
        self.host.report_gap(lost)
    }

    fn gap_in_words(&mut self, why: String) -> H::Gap {
        self.host.gap_in_words(why)
    }

    fn say(&mut self, level: Level, words: &str) {
        self.host.say(level, words);
    }
}
