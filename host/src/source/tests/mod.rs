//! What a reader gets of a log while others write, rotate, cut and delete it.

mod chance;
mod cut;
mod looks;
mod real;
mod restart;
mod rotation;

use std::ffi::OsStr;

use super::testing::Memos;
use super::{AnchorKey, Directory, FileRef, Found, LogSource, Next};
use crate::wire::{Gap, GapReason, Progress};

/// A site's reader of `log.txt`, and what the server has of it.
struct Reader {
    source: LogSource,
    at: Option<(FileRef, u64)>,
    /// Everything read since the reader was made.
    text: Vec<u8>,
    gaps: Vec<Gap>,
    /// The progress at the end of `text`.
    progress: Option<Progress>,
}

impl Reader {
    fn of(directory: impl Directory + 'static) -> Self {
        let key = AnchorKey::from_secret(b"secret");
        Self::with(LogSource::new(Box::new(directory), OsStr::new("log.txt"), key))
    }

    fn with(source: LogSource) -> Self {
        Self { source, at: None, text: Vec::new(), gaps: Vec::new(), progress: None }
    }

    fn enter(&mut self, found: Found) {
        self.gaps.extend(found.gap);
        self.at = Some((found.file, found.offset));
    }

    /// Goes on from what is stored.
    fn resume(&mut self, stored: Option<&Progress>) -> &mut Self {
        self.at = None;
        if let Next::Found(found) = self.source.resume(stored, false).unwrap() {
            self.enter(found);
        }
        self
    }

    /// Reads at most `max` bytes once. Returns how many came.
    fn read(&mut self, max: u32) -> usize {
        let (file, offset) = self.at.unwrap();
        let bytes = self.source.read(file, offset, max).unwrap();
        if !bytes.is_empty() {
            let offset = offset + bytes.len() as u64;
            self.at = Some((file, offset));
            self.text.extend_from_slice(&bytes);
            self.progress = Some(self.source.progress_at(file, offset).unwrap());
        }
        bytes.len()
    }

    /// Reads all that is there, as a policy does.
    fn drain(&mut self) -> &mut Self {
        loop {
            let next = match self.at {
                None => self.source.resume(None, false).unwrap(),
                Some((file, _)) => {
                    while self.read(1 << 20) > 0 {}
                    self.source.after(file).unwrap()
                }
            };
            match next {
                Next::NoneYet => return self,
                Next::Unread => {}
                Next::Found(found) => self.enter(found),
            }
        }
    }

    fn acknowledge(&mut self) -> &mut Self {
        let (file, offset) = self.at.unwrap();
        self.source.acknowledged(file, offset);
        self
    }

    fn after(&mut self) -> Next {
        self.source.after(self.at.unwrap().0).unwrap()
    }

    #[track_caller]
    fn has_read(&self, text: &str) {
        assert_eq!(String::from_utf8_lossy(&self.text), text);
    }

    #[track_caller]
    fn lost_nothing(&self) {
        assert_eq!(self.gaps, []);
    }

    /// There is one gap, of this reason, that names the file.
    #[track_caller]
    fn lost(&self, reason: GapReason, lost: Option<u64>, name: &str) {
        let [gap] = self.gaps.as_slice() else { panic!("one gap is expected: {:?}", self.gaps) };
        assert_eq!((gap.reason(), gap.lost), (reason, lost), "{}", gap.words);
        assert!(gap.words.contains(name), "{}", gap.words);
    }
}

/// The usual rotation: `.1` becomes `.2`, the log becomes `.1`.
fn shift(dir: &Memos, present: u32) {
    for number in (1..=present).rev() {
        dir.rename(&format!("log.txt.{number}"), &format!("log.txt.{}", number + 1));
    }
    dir.rename("log.txt", "log.txt.1");
}
