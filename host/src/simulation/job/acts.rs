//! What the job does with its files.

use std::ffi::OsStr;

use super::super::act::{Act, Text};
use super::{LOG, State};

impl State {
    fn copy(&mut self, part: usize) -> usize {
        let live = self.live();
        let length = self.files[live].bytes.len() / part;
        let (bytes, origin) = (self.files[live].bytes[..length].to_vec(), self.files[live].origin[..length].to_vec());
        let name = self.next_name();
        let copy = self.make(&name);
        self.files[copy].bytes = bytes;
        self.files[copy].origin = origin;
        self.touch(copy);
        copy
    }

    pub(super) fn act(&mut self, act: Act) {
        self.disturbed = true;
        // Whoever copies finishes the copy, and rotates nothing else meanwhile.
        if self.copying.is_some() && !matches!(act, Act::Write(_) | Act::FinishCopy) {
            self.finish_copy();
        }
        self.finish_record();
        match act {
            Act::Write(length) => {
                self.append(length);
                if self.text == Text::Records && self.lines.is_multiple_of(3) {
                    self.begin_record();
                }
            }
            Act::Rotate => {
                if self.names.contains_key(OsStr::new(LOG)) {
                    let name = self.next_name();
                    self.rename(LOG, &name);
                }
            }
            Act::WriteAndRotate(length) => {
                self.append(length);
                let name = self.next_name();
                self.rename(LOG, &name);
                self.append(length);
            }
            Act::Compress => {
                if let Some(oldest) = self.rotated().first().cloned() {
                    self.make(&format!("{oldest}.gz"));
                    self.delete(&oldest);
                }
            }
            Act::Delete => {
                if let Some(oldest) = self.rotated().first().cloned() {
                    self.delete(&oldest);
                }
            }
            Act::CopyAndCut(more) => {
                self.copy(1);
                if more > 0 {
                    self.append(more);
                }
                self.cut();
            }
            Act::BeginCopy => self.copying = Some(self.copy(2)),
            Act::FinishCopy => self.finish_copy(),
            Act::CutAndGrow => {
                let live = self.live();
                let length = self.files[live].bytes.len() as u64;
                self.cut();
                self.append(length + 50);
            }
            Act::Cut(more) => {
                self.cut();
                if more > 0 {
                    self.append(more);
                }
            }
            Act::Replace(length) => {
                self.delete(LOG);
                self.append(length);
            }
        }
    }

    pub(super) fn finish_copy(&mut self) {
        if let Some(copy) = self.copying.take() {
            let live = self.live();
            let (bytes, origin) = (self.files[live].bytes.clone(), self.files[live].origin.clone());
            self.files[copy].bytes = bytes;
            self.files[copy].origin = origin;
            self.touch(copy);
            self.cut();
        }
    }
}
