//! Counts what a site has on its way, against the credit that it was given.

use std::collections::VecDeque;

use crate::wire::{Data, server_frame};

/// One opening, as the network sees it.
#[derive(Default)]
pub(super) struct Credit {
    epoch: u64,
    given: u64,
    /// Ranges that are not acknowledged: the number of the last frame, and the bytes.
    on_way: VecDeque<(u64, u64)>,
    /// Bytes of a range whose last frame was not sent.
    part: u64,
}

impl Credit {
    /// The site is told this.
    pub fn told(&mut self, frame: &server_frame::Frame) {
        match frame {
            server_frame::Frame::Opened(opened) => {
                *self = Self { epoch: opened.epoch, given: opened.credit, ..Self::default() };
            }
            server_frame::Frame::Ack(ack) if ack.epoch == self.epoch => {
                self.given = ack.credit;
                self.on_way.retain(|(seq, _)| *seq > ack.seq);
            }
            _ => {}
        }
    }

    /// The site sends this. It begins no range when all of its credit is on the way.
    pub fn sent(&mut self, data: &Data) -> Result<(), String> {
        self.part += u64::from(data.length);
        if data.reached.is_none() {
            return Ok(());
        }
        let range = std::mem::take(&mut self.part);
        let on_way: u64 = self.on_way.iter().map(|(_, bytes)| bytes).sum();
        self.on_way.push_back((data.seq, range));
        if range > 0 && on_way >= self.given {
            return Err(format!("{range} bytes were sent where {on_way} were on their way, of {} allowed", self.given));
        }
        Ok(())
    }
}
