//! Looking at the directory: opens files first seen, notes renames, and puts what is new in its place.

use std::io;

use super::anchor::is_prefix;
use super::directory::{Entry, Stat};
use super::error::SourceError;
use super::gap::gap;
use super::held::Held;
use super::log::LogSource;
use super::siblings::{Dated, Direction, Mark, order};
use crate::broken::{Rule, is_broken};
use crate::wire::GapReason;

/// How often a directory is looked at before a look is taken for good though it changes all the time; the next event or poll
/// looks again.
const ROUNDS: usize = 10;

/// The most files that one source holds open. Far more than rotation keeps; a file beyond it is opened when it is its turn,
/// and is a gap where it is gone by then.
const MOST_OPEN: usize = 64;

/// The most files held open that are no part of the log as far as is known: copies, for the case that the log is cut. Older
/// ones are opened again then, if they are still there.
const MOST_STRANGERS: usize = 16;

impl LogSource {
    /// Looks at the directory, until two looks agree. Opens files that are seen for the first time and holds them, and notes
    /// new names of held ones. To be called at each event and each poll, also while nothing can be sent. Cheap when nothing
    /// changed: one look, and none at all where the directory can tell.
    pub fn refresh(&mut self) -> Result<(), SourceError> {
        let stamp = self.directory.stamp().map_err(|error| self.io(error))?;
        if stamp.is_some() && stamp == self.stamp {
            return Ok(());
        }
        self.look(stamp)
    }

    /// Looks at the directory also where it says that no name changed: bytes may have.
    pub(super) fn look(&mut self, stamp: Option<u64>) -> Result<(), SourceError> {
        self.look_for(&[], stamp)
    }

    /// Examines again what was let go, to find a place that lies before it: the server's store is not what it was.
    pub(super) fn look_behind(&mut self) -> Result<(), SourceError> {
        let let_go = std::mem::take(&mut self.done);
        self.looked = None;
        let looked = self.look_for(&let_go, None);
        if looked.is_err() {
            self.done = let_go;
        }
        looked
    }

    /// Looks until two looks agree. What was `let_go` and is there comes before all that is held.
    fn look_for(&mut self, let_go: &[Stat], stamp: Option<u64>) -> Result<(), SourceError> {
        self.stamp = None;
        let live = self.begin_look();
        for _ in 0..ROUNDS {
            let scan = self.scan()?;
            let known = self.without_what_changes(&scan);
            if self.looked.as_ref() == Some(&known) {
                // Now and not at the first look that lacks a file: it may have been renamed while its name was read.
                self.done.retain(|done| scan.iter().any(|entry| entry.stat.same_file(done)));
                self.stamp = stamp;
                return Ok(());
            }
            self.looked = None;
            self.take(&scan, live, let_go)?;
            self.looked = Some(self.without_what_changes(&scan));
        }
        tracing::debug!(log = %self.path.display(), "the directory changes at every look; going on with the last");
        Ok(())
    }

    /// Lets the places of all files stand that are held now, and returns the live one.
    fn begin_look(&mut self) -> Option<Stat> {
        self.chain.iter_mut().chain(&mut self.strangers).for_each(|held| held.settled = true);
        let live = self.chain.last().filter(|held| held.is_file() && held.present && held.name == self.family.live());
        live.map(|held| held.stat)
    }

    /// The files of the log in the directory, each once.
    fn scan(&self) -> Result<Vec<Entry>, SourceError> {
        let family = &self.family;
        let mut scan =
            self.directory.scan(&|name| family.mark(name).is_some()).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => SourceError::NotFound { path: self.directory_path() },
                _ => self.io(error),
            })?;
        // The log's own name first: it is what a file is that has two names.
        scan.sort_by(|a, b| (a.name != family.live(), &a.name).cmp(&(b.name != family.live(), &b.name)));
        let mut files: Vec<Entry> = Vec::with_capacity(scan.len());
        for entry in scan {
            if !files.iter().any(|file| file.stat.same_file(&entry.stat)) {
                files.push(entry);
            }
        }
        Ok(files)
    }

    /// A scan for comparing: names and files, and of files that are not followed also their bytes.
    fn without_what_changes(&self, scan: &[Entry]) -> Vec<Entry> {
        let followed = |stat: &Stat| self.chain.iter().any(|held| held.is_file() && held.stat.same_file(stat));
        let still = |entry: &Entry| match followed(&entry.stat) {
            true => Stat { size: 0, modified_ns: 0, changed_ns: 0, ..entry.stat },
            false => Stat { changed_ns: 0, ..entry.stat },
        };
        scan.iter().map(|entry| Entry { name: entry.name.clone(), stat: still(entry) }).collect()
    }

    /// Takes what a look showed. `live` was the live file before; what was `let_go` comes before what is held.
    fn take(&mut self, scan: &[Entry], live: Option<Stat>, let_go: &[Stat]) -> Result<(), SourceError> {
        // One that is closed is known by its inode alone, which another file may have by now.
        let is_there = |closed: &Stat| scan.iter().any(|entry| entry.stat.is_unchanged(closed));
        self.strangers.retain(|stranger| stranger.file.is_some() || is_there(&stranger.stat));
        self.rename(scan);
        let is_live = |entry: &Entry, stat: Stat| entry.name == self.family.live() && entry.stat.same_file(&stat);
        let live_stays = live.is_some_and(|stat| scan.iter().any(|entry| is_live(entry, stat)));
        let mut denied = None;
        // Whose place does not stand yet is placed anew, together with what this look shows: the one before can have been
        // in the middle of a rotation, and have missed a file or seen one under the name that another has now.
        let mut new = std::mem::take(&mut self.arriving);
        new.extend(self.chain.extract_if(.., |held| !held.settled));
        new.extend(self.strangers.extract_if(.., |held| !held.settled));
        for entry in scan {
            let mut held = self.chain.iter().chain(&self.strangers).chain(&new);
            if held.any(|held| held.is_file() && held.stat.same_file(&entry.stat)) {
                continue;
            }
            let done = self.done.iter().position(|done| done.same_file(&entry.stat));
            if let Some(done) = done {
                if entry.stat.is_unchanged(&self.done[done]) {
                    continue;
                }
                self.done.swap_remove(done);
            }
            match self.open_entry(entry, &new) {
                Ok(Some(held)) if !self.knows(&held, done.is_some())? => new.push(held),
                Ok(_) => {}
                // The live log can't be passed over; a rotated file can, and is a gap when it is its turn.
                Err(error @ SourceError::Denied { .. }) if entry.name == self.family.live() => denied = Some(error),
                Err(SourceError::Denied { .. }) => new.push(Held::new(entry.name.clone(), None, entry.stat)),
                Err(error) => {
                    self.arriving = new;
                    return Err(error);
                }
            }
        }
        let new = self.adopt(new)?;
        let (behind, new) = new.into_iter().partition(|held| let_go.iter().any(|gone| held.stat.same_file(gone)));
        self.place(behind, live_stays, true)?;
        self.place(new, live_stays, false)?;
        denied.map_or(Ok(()), Err)
    }

    /// Notes the names that held files have now.
    fn rename(&mut self, scan: &[Entry]) {
        let held = self.chain.iter_mut().chain(&mut self.strangers).chain(&mut self.arriving);
        for held in held.filter(|held| held.is_file()) {
            let entry = scan.iter().find(|entry| entry.stat.same_file(&held.stat));
            held.present = entry.is_some();
            if let Some(entry) = entry {
                held.name.clone_from(&entry.name);
            }
        }
    }

    /// Opens a file that was seen. None where it is no longer there, or no longer that file; the next look shows why.
    fn open_entry(&self, entry: &Entry, new: &[Held]) -> Result<Option<Held>, SourceError> {
        let open = self.chain.iter().chain(&self.strangers).chain(new).filter(|held| held.file.is_some()).count();
        if open >= MOST_OPEN {
            return Ok(Some(Held::new(entry.name.clone(), None, entry.stat)));
        }
        let path = self.path_of(&entry.name);
        match self.directory.open(&entry.name) {
            Ok(file) => {
                let stat = file.stat().map_err(|error| SourceError::io(&path, error))?;
                let same = stat.same_file(&entry.stat);
                Ok(same.then(|| Held::new(entry.name.clone(), Some(file), stat)))
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidInput) => Ok(None),
            Err(error) if out_of_descriptors(&error) => {
                tracing::warn!(file = %path.display(), %error, "can't hold a log's file open; raise the limit of open files");
                Ok(Some(Held::new(entry.name.clone(), None, entry.stat)))
            }
            Err(error) => Err(SourceError::io(&path, error)),
        }
    }

    /// Whether a rotated file that is new to us was read to its end before, by its text. `let_go`: it is so by its inode, and
    /// has changed since.
    fn knows(&mut self, held: &Held, let_go: bool) -> Result<bool, SourceError> {
        let Some(file) = held.file.as_deref().filter(|_| held.name != self.family.live()) else { return Ok(false) };
        let size = held.stat.size;
        for read in &self.consumed {
            let candidate = size == read.offset || let_go && size > read.offset;
            if candidate && self.key.matches(file, read).map_err(|error| SourceError::io(&self.path, error))? {
                let late = size - read.offset;
                if late > 0 {
                    self.note_late(held.name.clone(), late);
                }
                self.done.push(held.stat);
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Gives new files to held ones that have vanished from the directory and have the same text: a log that was moved to
    /// another device, restored, or written anew with all that it had.
    fn adopt(&mut self, new: Vec<Held>) -> Result<Vec<Held>, SourceError> {
        let mut rest = Vec::new();
        'new: for held in new {
            for known in self.chain.iter_mut().filter(|known| known.is_file() && !known.present) {
                let (Some(witness), Some(file)) = (known.witness(&self.key), held.file.as_deref()) else { continue };
                if self.key.matches(file, &witness).map_err(|error| SourceError::io(&self.path, error))? {
                    known.adopt(held);
                    continue 'new;
                }
            }
            rest.push(held);
        }
        Ok(rest)
    }

    /// Puts new files into the chain, in their order, or aside where they are no part of the log.
    fn place(&mut self, new: Vec<Held>, live_stays: bool, behind: bool) -> Result<(), SourceError> {
        let live_stays = live_stays && !is_broken(Rule::CopyIsNoSuccessor);
        let live = self.family.live();
        let (mut lives, rotated): (Vec<Held>, Vec<Held>) = new.into_iter().partition(|held| held.name == live);
        let live_file = lives.last().or(self.chain.last().filter(|held| held.name == live && held.present));
        let mut generations = Vec::new();
        for mut held in rotated {
            // An earlier guess about its place.
            held.gap = None;
            // While the live file stays, rotation can't have put a newer one before it: this is a copy, or none of ours.
            let copy = match (held.file.as_deref(), live_file.and_then(|live| live.file.as_deref())) {
                _ if live_stays && !behind => true,
                // Nothing can be told of it yet; a copy begins like this.
                _ if held.stat.size == 0 => true,
                (Some(file), Some(live)) if held.stat.size > 0 => {
                    is_prefix(file, held.stat.size, live).map_err(|error| SourceError::io(&self.path, error))?
                }
                _ => false,
            };
            if copy {
                self.strangers.push(held);
            } else {
                generations.push(held);
            }
        }
        self.close_old_strangers();
        if !behind {
            self.learn_direction(&generations);
        }
        let (mut generations, guessed) = self.in_order(generations);
        if let Some(first) = generations.first_mut().filter(|_| guessed) {
            let words = format!(
                "the order of {} and the files beside it can't be told from names and times",
                self.named(first)
            );
            first.gap = Some(gap(GapReason::Ambiguous, None, words));
        }
        for live in &mut lives {
            for copy in &generations {
                live.was_copied_to(copy, &self.key).map_err(|error| SourceError::io(&self.path, error))?;
            }
        }
        for held in generations.iter_mut().chain(&mut lives) {
            held.fresh = false;
            held.note_unread(&self.key).map_err(|error| SourceError::io(&self.path, error))?;
        }
        let at = if behind { 0 } else { self.chain.len() };
        self.chain.splice(at..at, generations);
        self.chain.extend(lives);
        Ok(())
    }

    /// Keeps the newest copies open, and of the others those which can be opened again.
    pub(super) fn close_old_strangers(&mut self) {
        self.strangers.sort_by_key(|stranger| std::cmp::Reverse(stranger.stat.modified_ns));
        self.strangers.iter_mut().skip(MOST_STRANGERS).for_each(|stranger| stranger.file = None);
        self.strangers.retain(|stranger| stranger.file.is_some() || stranger.present);
    }

    /// Learns which way numbers run: new files are newer than those which were held before.
    fn learn_direction(&mut self, new: &[Held]) {
        let number = |held: &Held| match self.family.mark(&held.name) {
            Some(Mark::Number(number)) if held.present => Some(number),
            _ => None,
        };
        let mut held = self.chain.iter().rev().filter(|held| held.is_file());
        let Some(newest_held) = held.find_map(number) else { return };
        let new: Vec<u64> = new.iter().filter_map(number).collect();
        if !new.is_empty() && new.iter().all(|number| *number < newest_held) {
            self.direction = Some(Direction::Shifted);
        } else if !new.is_empty() && new.iter().all(|number| *number > newest_held) {
            self.direction = Some(Direction::Upwards);
        }
    }

    /// The same as [`sorted`](Self::sorted) of files of which some are gone again since an earlier look put them in order:
    /// their names say nothing beside the names that the others have now, so each stays before the one that it was before.
    pub(super) fn in_order(&self, files: Vec<Held>) -> (Vec<Held>, bool) {
        let seen: Vec<Stat> = files.iter().map(|held| held.stat).collect();
        let (present, gone): (Vec<Held>, Vec<Held>) = files.into_iter().partition(|held| held.present);
        let (mut sorted, guessed) = self.sorted(present);
        for held in gone.into_iter().rev() {
            let later = seen.iter().skip_while(|stat| !stat.same_file(&held.stat)).skip(1);
            let place = later.filter_map(|stat| sorted.iter().position(|other| other.stat.same_file(stat))).min();
            sorted.insert(place.unwrap_or(sorted.len()), held);
        }
        (sorted, guessed)
    }

    /// Files in the order in which they were written, and whether that is a guess.
    pub(super) fn sorted(&self, files: Vec<Held>) -> (Vec<Held>, bool) {
        let dated: Vec<Dated> = files
            .iter()
            .map(|held| Dated {
                mark: self.family.mark(&held.name).unwrap_or(Mark::Other),
                modified_ns: held.stat.modified_ns,
            })
            .collect();
        let (order, guessed) = order(&dated, self.direction);
        let mut files: Vec<Option<Held>> = files.into_iter().map(Some).collect();
        (order.into_iter().filter_map(|index| files[index].take()).collect(), guessed)
    }
}

/// Whether the process, or the machine, has no descriptor left.
pub(super) fn out_of_descriptors(error: &io::Error) -> bool {
    let errno = rustix::io::Errno::from_io_error(error);
    matches!(errno, Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE))
}
