//! What is asked of a run after each of its steps, and when its stream is over.

use std::path::Path;

use super::super::job::LOG;
use super::super::judge::Judge;
use super::super::lines;
use super::super::server::Server;
use super::{GOES_ON_WITHIN, World};
use crate::clock::Clock;
use crate::policy::{Kind, Promise};
use crate::server::IDLE_TIMEOUT;
use crate::site::{Ending, Outcome};
use crate::wire::{self, EndKind, server_frame};

impl World<'_> {
    /// What the server's file of the log has.
    pub(super) fn log_file(&self) -> Vec<u8> {
        self.disk.read(&Path::new("job/site").join(LOG))
    }

    fn stored_data(&self, stored: u64) -> Result<Vec<u8>, String> {
        let mut data = self.log_file();
        if (data.len() as u64) < stored {
            return Err(format!("the journal says {stored} bytes, and the log has {}", data.len()));
        }
        data.truncate(stored as usize);
        Ok(data)
    }

    /// What must hold at every moment.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        if let Some(fault) = self.witness.fault() {
            return Err(fault);
        }
        if let Some(left) = &self.orphaned {
            let same = *left == self.log_file();
            return if same { Ok(()) } else { Err("a file that no journal knows was written to".into()) };
        }
        let Some(state) = self.server.as_ref().and_then(Server::state) else { return Ok(()) };
        while let Some((_, known)) = self.frames.pop_front_if(|(end, _)| *end <= state.received) {
            self.known = known;
        }
        if self.promise.is_some() && state.progress != self.progress {
            self.progress.clone_from(&state.progress);
            if self.over_by < u64::MAX {
                self.over_by = self.time.now() + GOES_ON_WITHIN;
            }
        }
        let data = self.stored_data(state.stored)?;
        match &mut self.judge {
            Judge::Bytes(oracle) => {
                self.job.with_truth(|written, fates| oracle.stored(&data, &state.gaps, written, fates))
            }
            Judge::Lines(lines) => lines.stored(&data, self.stopping),
        }
    }

    /// A site that is heard is not told that its stream was idle.
    pub(super) fn judge_answer(&self, connection: u64, frame: &server_frame::Frame) -> Result<(), String> {
        let server_frame::Frame::Closed(closed) = frame else { return Ok(()) };
        // A policy of the server has its own idea of it.
        if closed.kind() != EndKind::Idle || self.policies.tried() == Some(Kind::Receiver) {
            return Ok(());
        }
        let connection = self.connections.iter().find(|it| it.number == connection);
        match connection.and_then(|connection| connection.beat_came) {
            Some(beat) if self.time.now() - beat < IDLE_TIMEOUT.as_nanos() as u64 => {
                Err("a stream was closed as idle, and a sign of its site's life had just come".into())
            }
            _ => Ok(()),
        }
    }

    /// Whether the server's policy may end the stream when it has stored so much.
    fn may_refuse(&self, stored: u64) -> bool {
        let limits = self.is_reference || self.promise == Some(Promise::Limits);
        self.policies.tried() == Some(Kind::Receiver) && (limits || stored > self.takes)
    }

    /// The server's policy has ended the stream: what is stored is a beginning all the same.
    fn refused(&mut self, outcome: &Outcome) -> Result<(), String> {
        self.stored = self.stored_data(outcome.stored)?;
        self.refused = Some(outcome.reason.clone());
        if self.is_reference {
            return Ok(());
        }
        let stored = &self.stored;
        self.job.with_truth(|written, _| lines::prefix(stored, written, "the job wrote"))
    }

    /// A policy that says that all is sent has sent or skipped all.
    fn read_to_the_end(&self, gaps: &[wire::Gap]) -> Result<(), String> {
        if self.policies.tried() != Some(Kind::Streamer) || self.schedule.destroys || !gaps.is_empty() {
            return Ok(());
        }
        let Some((inode, length)) = self.job.end() else { return Ok(()) };
        let state = self.server.as_ref().and_then(Server::state);
        let at = state.and_then(|state| state.progress).and_then(|progress| progress.at);
        match at {
            Some(at) if at.inode == inode && at.offset == length => Ok(()),
            Some(at) if at.inode == inode => Err(format!(
                "it says that all is sent, and has sent or skipped {} of the {length} bytes of the log's last file",
                at.offset
            )),
            Some(_) => Err("it says that all is sent, and has not come to the log's last file".into()),
            None => Err("it says that all is sent, and has sent or skipped nothing".into()),
        }
    }

    pub(super) fn count_ends(&mut self) {
        let ended = self.server.as_ref().map(Server::take_ended).unwrap_or_default();
        self.ends +=
            ended.iter().filter(|end| matches!(end.kind, EndKind::Complete | EndKind::Incomplete)).count() as u64;
    }

    /// What must hold when the stream is over.
    pub(super) fn over(&mut self) -> Result<(), String> {
        let Some(outcome) = self.site.as_ref().and_then(|site| site.driver.outcome().cloned()) else { return Ok(()) };
        self.note(|_| format!("the stream is over: {outcome}"));
        if self.orphaned.is_some() {
            let refused = outcome.ending == Ending::Refused && outcome.reason.contains("has no journal");
            let wrong =
                || format!("a file that no journal knows stands where the log goes, and the stream is {outcome}");
            return if refused { Ok(()) } else { Err(wrong()) };
        }
        if outcome.ending == Ending::Refused && self.may_refuse(outcome.stored) {
            return self.refused(&outcome);
        }
        match outcome.ending {
            Ending::Complete | Ending::Incomplete => {}
            Ending::Failed if self.promise.is_some() => return Err(outcome.reason),
            Ending::Refused if self.promise.is_some() => {
                return Err(format!("the stream is refused: {}", outcome.reason));
            }
            _ => return Err(format!("the stream ended as nobody asked for: {outcome}")),
        }
        let data = self.stored_data(outcome.stored)?;
        let complete = outcome.ending == Ending::Complete;
        self.read_to_the_end(&outcome.gaps)?;
        let policies = self.policies;
        match &mut self.judge {
            Judge::Bytes(oracle) => self.job.with_truth(|written, fates| {
                oracle.stored(&data, &outcome.gaps, written, fates)?;
                oracle.over(complete, &outcome.gaps, written, fates)
            })?,
            Judge::Lines(lines) => {
                lines.stored(&data, true)?;
                let written = self.job.with_truth(|written, _| written.to_vec());
                let leaves = || Ok(super::reference(policies, &written, None)?.map(|it| it.stored).unwrap_or_default());
                lines.over(complete, &data, &outcome.gaps, &written, leaves)?;
            }
        }
        self.stored = data;
        if let Some(state) = self.server.as_ref().and_then(Server::state)
            && state.end.is_none()
        {
            return Err("an end was told that is not recorded".into());
        }
        self.count_ends();
        match self.ends {
            // A policy may end a stream before its site does.
            _ if self.promise == Some(Promise::Limits) => Ok(()),
            1 => Ok(()),
            // A process that was killed may have told and not recorded that it had.
            0 | 2.. if self.server_died => Ok(()),
            ends => Err(format!("{ends} endings were told of one stream")),
        }
    }
}
