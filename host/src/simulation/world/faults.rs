//! What happens by the schedule: acts of the job, and faults.

use std::path::Path;

use super::super::schedule::Happening;
use super::super::time::MS;
use super::{ENDS_WITHIN, GOES_ON_WITHIN, SECOND, World};
use crate::clock::Clock;
use crate::site::driver::Event;
use crate::store::Durability;

/// The wall clocks jump by no more than this in all, in seconds.
const LONGEST_JUMP: i64 = 80_000;
/// After so much silence a server takes a connection for dead, whose transport asks after a silent peer.
const SERVERS_SILENCE: u64 = 40 * SECOND;

impl World<'_> {
    pub(super) fn happen(&mut self, what: Happening) -> Result<(), String> {
        *self.happened.entry(what.kind()).or_default() += 1;
        self.note(|_| format!("- {what}"));
        let now = self.time.now();
        match what {
            Happening::Job(act) => {
                self.job.act(act);
                self.note(|this| format!("    {}", this.job.listing()));
                self.files_changed();
            }
            Happening::Race(after, act) => {
                self.job.race(after, act);
                self.files_changed();
            }
            Happening::Cut(later) => {
                for connection in &mut self.connections {
                    connection.dies(now);
                    connection.to_site.clear();
                    connection.to_server.iter_mut().for_each(|(at, _)| *at += later * MS);
                    if later == 0 {
                        connection.to_server.clear();
                    }
                }
                return self.disconnect();
            }
            Happening::HalfOpen => {
                self.connections.iter_mut().for_each(|connection| connection.dies(now + SERVERS_SILENCE));
            }
            Happening::Delay(delay) => self.delay = delay,
            Happening::Unreachable(time) => {
                self.reachable_at = now + time * MS;
                for connection in &mut self.connections {
                    connection.dies(now + SERVERS_SILENCE);
                    connection.to_server.clear();
                    connection.to_site.clear();
                }
                return self.disconnect();
            }
            Happening::KillSite(time) => {
                if self.site.take().is_some() {
                    self.frames.clear();
                    self.site_at = Some(now + time * MS);
                    self.job.site_ended(self.known);
                    self.judge.ledger().site_ended();
                    // What it had sent still arrives.
                    self.connections.iter_mut().for_each(|connection| connection.dies(now));
                }
            }
            Happening::KillServer(time) => {
                if self.server.is_some() {
                    self.disk.kill();
                    return self.server_is_gone(time);
                }
            }
            Happening::KillServerInWrite(changes, time) => {
                if self.server.is_some() {
                    self.down_for = time;
                    self.disk.kill_after(changes);
                }
            }
            Happening::PowerLoss(time) => {
                self.disk.lose_power(&mut self.chance);
                self.boot = self.boot.wrapping_add(1).max(1);
                if self.schedule.durability == Durability::Process {
                    self.known = 0;
                    self.frames.clear();
                    if self.site.is_none() {
                        self.job.site_ended(0);
                    }
                    self.judge.ledger().forgive();
                    self.job.acknowledged_was_lost();
                }
                return self.server_is_gone(time);
            }
            Happening::LoseJournals(time) => {
                self.disk.kill();
                self.disk.lose(Path::new(".fedtail"));
                let left = self.log_file();
                if left.is_empty() {
                    // Of an empty log nothing is lost: the store begins anew.
                    self.disk.lose(Path::new("job"));
                } else {
                    self.orphaned.get_or_insert(left);
                }
                if self.server.is_some() {
                    return self.server_is_gone(time);
                }
            }
            Happening::Full(room) => self.disk.set_room(room),
            Happening::Room => self.disk.set_room(u64::MAX),
            Happening::ReadOnly(read_only) => self.disk.set_read_only(read_only),
            Happening::Descriptors(left) => self.job.set_descriptors(left),
            Happening::Jump(seconds) => {
                // By less than the grace for late lines, which a server measures with its wall clock.
                let before = self.jumped;
                self.jumped = (before + seconds).clamp(-LONGEST_JUMP, LONGEST_JUMP);
                self.time.shift((self.jumped - before) * SECOND as i64);
            }
            Happening::Swap => {
                self.swaps += 1;
                let assigned = self.policies.streamer(self.swaps);
                return self.site_turn(Event::Policy(Box::new(Ok(assigned))));
            }
            Happening::Stop => {
                self.job.stop();
                self.stopping = true;
                return self.site_turn(Event::Stop);
            }
        }
        Ok(())
    }

    /// Everything works from now on.
    pub(super) fn heal(&mut self) -> Result<(), String> {
        self.note(|_| "everything works from now on".into());
        self.disk.set_room(u64::MAX);
        self.disk.set_read_only(false);
        self.job.set_descriptors(true);
        let now = self.time.now();
        self.server_at = self.server_at.map(|at| at.min(now));
        self.site_at = self.site_at.map(|at| at.min(now));
        self.reachable_at = 0;
        self.delay = 1;
        self.over_by = now + if self.promise.is_some() { GOES_ON_WITHIN } else { ENDS_WITHIN };
        if !self.stopping {
            self.job.stop();
            self.stopping = true;
            return self.site_turn(Event::Stop);
        }
        Ok(())
    }

    pub(super) fn files_changed(&mut self) {
        let at = self.time.now() + self.chance.below(5) * MS;
        // Events get lost; the policy's poll is the net under them.
        if let Some(site) = &mut self.site
            && !self.chance.one_in(8)
        {
            site.changed_at.get_or_insert(at);
        }
    }
}
