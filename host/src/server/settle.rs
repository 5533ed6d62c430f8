//! After an end was recorded: the policy's word, the embedding program, and what an earlier server left behind.

use std::sync::Arc;
use std::time::Duration;

use tracing::{error, warn};

use super::Inner;
use super::ended::Ended;
use crate::names::LogKey;
use crate::policy::{Disposition, ReceiverInstance};
use crate::store::{CommitError, StoredLog};
use crate::wire::{self, EndKind};

/// Why a stream is idle, in words.
pub fn silent_for(silence: Duration) -> String {
    format!("silent for {}", humantime::format_duration(silence))
}

impl Inner {
    /// Asks the policy what becomes of a log whose end is recorded, does it, and tells the embedding program.
    #[expect(clippy::too_many_arguments, reason = "each is one fact about the end")]
    pub fn settle(
        &self,
        key: &LogKey,
        log: &StoredLog,
        epoch: u64,
        policy: Option<ReceiverInstance>,
        kind: EndKind,
        reason: String,
        same_stream: bool,
    ) {
        let disposition = match policy.map(|policy| policy.finish(kind, &reason)) {
            Some(Ok(disposition)) => disposition,
            Some(Err(fault)) => {
                warn!("{key}: {fault}, when it was asked what becomes of the log; it stays where it is");
                Disposition::RetainPartial
            }
            None => Disposition::RetainPartial,
        };
        let discarded = disposition == Disposition::Discard
            && log.discard(epoch).inspect_err(|e| warn!("{key}: not deleted: {e}")).is_ok();
        let ended = self.ended(key, log, kind, reason, discarded);
        // A site that never got the answer to its end asks again, and everybody else was told then.
        let told = log.state().handed;
        if !(told && same_stream) {
            (self.on_ended)(&ended);
        }
        if !told {
            self.hand_over(log, &ended, disposition == Disposition::Keep);
        }
    }

    /// How a stream ended, for the embedding program.
    pub fn ended(&self, key: &LogKey, log: &StoredLog, kind: EndKind, reason: String, discarded: bool) -> Ended {
        self.committed();
        let state = log.state();
        let path = self.store.path(key);
        Ended { key: key.clone(), kind, reason, stored: state.stored, gaps: state.gaps, path, discarded }
    }

    /// Runs the hook for a log that is to be handed over, and records that nothing is left to be done about this end.
    fn hand_over(&self, log: &StoredLog, ended: &Ended, keep: bool) {
        let state = log.state();
        if keep && let Err(reason) = self.finished.finished(ended) {
            error!("{}: not handed over: {reason}; it stays in {}", ended.key, ended.path.display());
            return;
        }
        if let Err(error) = log.handed(&state) {
            warn!("{}: its end was handled, and will be again after a restart: {error}", ended.key);
        }
    }

    /// Closes a stream that nobody came back to.
    pub async fn close_idle(self: Arc<Self>, key: &LogKey, log: &Arc<StoredLog>, epoch: u64, silence: Duration) {
        let (key, log) = (key.clone(), log.clone());
        let closed = tokio::task::spawn_blocking(move || self.end_idle(&key, &log, epoch, silence));
        if let Err(defect) = closed.await {
            error!("a defect while a silent stream was closed: {defect}");
        }
    }

    /// Records that nobody came back to a stream, and tells of it. Blocks on files.
    pub fn end_idle(&self, key: &LogKey, log: &StoredLog, epoch: u64, silence: Duration) {
        let reason = silent_for(silence);
        let recorded = wire::RecordedEnd { kind: EndKind::Idle.into(), reason: reason.clone() };
        match log.end(epoch, recorded, Vec::new()) {
            Ok(state) if state.end.as_ref().is_some_and(|end| end.kind() == EndKind::Idle) => {
                let ended = self.ended(key, log, EndKind::Idle, reason, false);
                (self.on_ended)(&ended);
                self.hand_over(log, &ended, false);
            }
            // The site had said its word before, and came back only to hear the answer.
            Ok(_) => self.tell_if_due(key, log),
            // Somebody came back after all.
            Err(CommitError::Fenced { .. }) => {}
            Err(error) => warn!("{key}: it is idle, which could not be recorded: {error}"),
        }
    }

    /// What a server does about the logs of the one before it.
    pub async fn take_up(self: Arc<Self>) {
        let this = self.clone();
        let open = tokio::task::spawn_blocking(move || this.left_behind());
        let Ok(open) = open.await else { return };
        tokio::select! {
            () = tokio::time::sleep(self.idle_timeout) => {}
            () = self.tasks.closing() => return,
        }
        for (key, log, epoch) in open {
            if !self.registry.is_live(&key) {
                self.clone().close_idle(&key, &log, epoch, self.idle_timeout).await;
            }
        }
    }

    /// Tells of an end that is recorded and was not told: the server before this one ended in between. Blocks on files.
    pub fn tell_if_due(&self, key: &LogKey, log: &StoredLog) {
        let state = log.state();
        let Some(end) = state.end.as_ref().filter(|_| !state.handed) else { return };
        let kind = end.kind();
        let ended = self.ended(key, log, kind, end.reason.clone(), false);
        (self.on_ended)(&ended);
        self.hand_over(log, &ended, matches!(kind, EndKind::Complete | EndKind::Incomplete));
    }

    /// Hands over what the server before this one did not, and returns the logs that it left open, with their epochs.
    /// Blocks on files.
    pub fn left_behind(&self) -> Vec<(LogKey, Arc<StoredLog>, u64)> {
        let keys = self.store.logs().unwrap_or_else(|error| {
            warn!("logs of an earlier run are not looked at: {error}");
            Vec::new()
        });
        let mut open = Vec::new();
        for key in keys {
            let log = match self.store.log(&key) {
                Ok(log) => log,
                Err(error) => {
                    warn!("{key}: {error}");
                    continue;
                }
            };
            let state = log.state();
            // A site may have come already.
            if log.was_opened_here() {
                continue;
            }
            match &state.end {
                None => open.push((key, log, state.epoch)),
                Some(_) => self.tell_if_due(&key, &log),
            }
        }
        open
    }
}
