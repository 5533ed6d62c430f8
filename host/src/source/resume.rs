//! Finding the place that the server has stored.

use std::cmp::Ordering;

use super::anchor::{is_prefix, same};
use super::error::SourceError;
use super::gap::{gap, join};
use super::held::{Held, Text};
use super::log::{LogSource, MOST_CONSUMED};
use super::siblings::{Direction, Mark};
use super::{Found, Next};
use crate::wire::{GapReason, Position, Progress};

impl LogSource {
    /// Where to go on from what the server has stored, or the oldest file that is there if it has nothing. Every
    /// [`FileRef`](super::FileRef) from before is stale afterwards. `ended`: the stream had come to its end before.
    ///
    /// Errors: [`SourceError::DifferentSource`] where the stream had ended and no file here continues what is stored.
    pub fn resume(&mut self, stored: Option<&Progress>, ended: bool) -> Result<Next, SourceError> {
        let (read, entered) = (self.consumed.clone(), self.entered);
        let next = self.find_place(stored, ended);
        if next.is_err() {
            // When it is asked again it still has to know what it has read.
            (self.consumed, self.entered) = (read, entered);
        }
        self.close_old_strangers();
        next
    }

    fn find_place(&mut self, stored: Option<&Progress>, ended: bool) -> Result<Next, SourceError> {
        self.refresh()?;
        let first = !std::mem::replace(&mut self.entered, true);
        self.owed = None;
        for held in &mut self.chain {
            held.reference = None;
        }
        let Some((stored, at)) = stored.and_then(|stored| Some((stored, stored.at.as_ref()?))) else {
            let read = std::mem::take(&mut self.consumed);
            if !self.done.is_empty() {
                self.look_behind()?;
            }
            self.owe_deleted(&read)?;
            self.begin_in_copy()?;
            if first {
                self.owe_holes(None)?;
            }
            return self.enter_from(0);
        };
        let mut place = self.find(at)?;
        // What this process has read, and the store does not know of.
        let mut read = Vec::new();
        if place.is_none() {
            read = std::mem::replace(&mut self.consumed, stored.consumed.clone());
            read.retain(|read| !stored.consumed.iter().any(|known| same(known, read)));
            self.look_behind()?;
            place = self.find(at)?;
        } else if self.consumed.is_empty() {
            self.consumed.clone_from(&stored.consumed);
        }
        if place.is_none() {
            place = self.find_copy(at)?;
        }
        if place.is_none() {
            place = self.find_unopened(at)?;
        }
        if let Some(index) = place {
            // Not by its text again, which may have been cut meanwhile.
            let found = self.new_reference();
            self.chain[index].reference = Some(found);
            self.settle_order(index, at)?;
            place = Some(self.index(found)?);
        }
        match place {
            Some(index) => {
                self.owe_deleted(&read)?;
                if first {
                    self.owe_holes(Some(index))?;
                }
                self.go_on_in(index, at, &stored.pending)
            }
            None => self.go_on_without(stored, at, ended),
        }
    }

    /// The held file that the position was taken in. Prefers one that has the rest in memory, then one with the same inode.
    fn find(&self, at: &Position) -> Result<Option<usize>, SourceError> {
        if let Some(index) = self.chain.iter().position(|held| held.remembers(&self.key, at)) {
            return Ok(Some(index));
        }
        let mut place = None;
        for (index, held) in self.chain.iter().enumerate() {
            if held.matches(&self.key, at).map_err(|error| self.io(error))? {
                if (held.stat.device, held.stat.inode) == (at.device, at.inode) {
                    return Ok(Some(index));
                }
                place = place.or(Some(index));
            }
        }
        Ok(place)
    }

    /// Begins with the copy of a text that was cut, where the server does not have the beginning of it any more: that is no
    /// longer in memory.
    fn begin_in_copy(&mut self) -> Result<(), SourceError> {
        let Some(first) = self.chain.first_mut() else { return Ok(()) };
        first.look().map_err(|error| SourceError::io(&self.path, error))?;
        let cut = matches!(first.text, Text::Cut { .. } | Text::Over) && first.memory.start() > first.start;
        let Some(witness) = first.witness(&self.key).filter(|_| cut) else { return Ok(()) };
        for index in 1..self.chain.len() {
            let held = &mut self.chain[index];
            let io = |error| SourceError::io(&self.path, error);
            if held.start > 0 && held.matches(&self.key, &witness).map_err(io)? {
                // The rest was to come from it; now all of it does.
                held.go_to(0).map_err(io)?;
                held.start = 0;
                self.chain.drain(..index);
                return Ok(());
            }
        }
        if let Some(place) = self.find_copy(&witness)? {
            // The look after it takes the file with its new text, where that was not in place yet.
            self.chain.remove(usize::from(place == 0));
            self.look(None)?;
        }
        Ok(())
    }

    /// Owes a gap for files that were read to their end and let go, that are to be read again since the store is not what
    /// it was, and that are nowhere.
    fn owe_deleted(&mut self, read: &[Position]) -> Result<(), SourceError> {
        let mut gone = Vec::new();
        // One that can't be opened now may be any of them.
        let unknown = self.chain.iter().any(|held| held.file.is_none() && held.text == Text::Whole);
        for read in read.iter().filter(|_| !unknown) {
            if !contains(&self.key, &self.chain, read).map_err(|error| self.io(error))? {
                gone.push(*read);
            }
        }
        if !gone.is_empty() {
            let words = format!(
                "the server no longer has what it had acknowledged of {}, and {} of the files that it was in are not there \
                 any more",
                self.path.display(),
                gone.len()
            );
            join(&mut self.owed, Some(gap(GapReason::Deleted, None, words)));
            // Should it be asked for once more, they are missing still.
            gone.append(&mut self.consumed);
            self.consumed = gone;
        }
        Ok(())
    }

    /// The file of the position among the copies that were put aside before it was known where to go on: the log was cut
    /// since, and the copy has what is left of its text. Puts it into the chain.
    fn find_copy(&mut self, at: &Position) -> Result<Option<usize>, SourceError> {
        self.open_strangers()?;
        for index in 0..self.strangers.len() {
            if self.strangers[index].matches(&self.key, at).map_err(|error| self.io(error))? {
                let copy = self.strangers.remove(index);
                let place = self.behind_what_was_read(at)?;
                for later in &mut self.chain[place..] {
                    let looked = later.was_copied_to(&copy, &self.key);
                    looked.map_err(|error| SourceError::io(&self.path, error))?;
                }
                self.chain.insert(place, copy);
                return Ok(Some(place));
            }
        }
        Ok(None)
    }

    /// The file of the position among those that are not held open, since there are too many. Opens it.
    fn find_unopened(&mut self, at: &Position) -> Result<Option<usize>, SourceError> {
        for index in 0..self.chain.len() {
            if self.chain[index].file.is_some() || self.open_at_last(index)?.is_some() {
                continue;
            }
            if self.chain[index].matches(&self.key, at).map_err(|error| self.io(error))? {
                return Ok(Some(index));
            }
            self.chain[index].file = None;
        }
        Ok(None)
    }

    /// Tells the order of rotated files by the file that the server has last: whatever is not among those that were read
    /// is newer than it, also where the times of the files say otherwise, since a clock can jump.
    fn settle_order(&mut self, index: usize, reached: &Position) -> Result<(), SourceError> {
        let all_are_named = self.consumed.len() < MOST_CONSUMED;
        if self.direction.is_some() || !all_are_named && !self.chain.iter().any(|held| held.guessed()) {
            return Ok(());
        }
        let family = self.family.clone();
        // The name of a file that is gone says nothing beside those that the others have now.
        let number = |held: &Held| match family.mark(&held.name) {
            Some(Mark::Number(number)) if held.present => Some(number),
            _ => None,
        };
        let Some(last) = number(&self.chain[index]) else { return Ok(()) };
        let mut newer = Vec::new();
        for at in 0..self.chain.len() {
            if at == index || self.chain[at].end() > 0 {
                continue;
            }
            // One that is not open can't be told apart until it is.
            let is_closed = self.chain[at].file.is_none();
            if is_closed && self.open_at_last(at)?.is_some() {
                continue;
            }
            if !self.was_read(&self.chain[at], reached)? {
                newer.extend(number(&self.chain[at]));
            }
            if is_closed {
                self.chain[at].file = None;
            }
        }
        self.direction = match newer.first() {
            Some(_) if newer.iter().all(|number| *number < last) => Some(Direction::Shifted),
            Some(_) if newer.iter().all(|number| *number > last) => Some(Direction::Upwards),
            _ => return Ok(()),
        };
        // Where the order agrees it stands: it also knows of files whose names are gone.
        let mut before = false;
        for held in &self.chain[..index] {
            before = before
                || number(held).is_some_and(|number| newer.contains(&number)) && !self.was_read(held, reached)?;
        }
        if !before && !self.chain.iter().any(|held| held.guessed()) {
            return Ok(());
        }
        let chain = std::mem::take(&mut self.chain);
        let (mut chain, still_guessed) = self.in_order(chain);
        for held in chain.iter_mut().filter(|held| held.guessed() && !still_guessed) {
            held.gap = None;
        }
        self.chain = chain;
        Ok(())
    }

    /// Goes on where the position was found.
    fn go_on_in(&mut self, index: usize, at: &Position, pending: &[Position]) -> Result<Next, SourceError> {
        let held = &mut self.chain[index];
        if !held.remembers(&self.key, at) {
            let reached = held.go_to(at.offset).map_err(|error| SourceError::io(&self.path, error))?;
            if !reached || !held.remembers(&self.key, at) {
                // It was cut between two looks at it: to be found out at the next attempt.
                held.go_to(0).map_err(|error| SourceError::io(&self.path, error))?;
                return Ok(Next::NoneYet);
            }
            held.start = held.start.min(at.offset);
        }
        // A guess about the order concerns what is left of the files.
        let guess = self.chain[..index].iter_mut().find_map(|held| held.gap.take());
        let mut later = self.chain.split_off(index + 1);
        self.let_go(index);
        let mut copies = Vec::new();
        for at_later in (0..later.len()).rev() {
            let held = &later[at_later];
            let rotated = held.name != self.family.live() && held.end() == 0;
            if rotated && is_copy(&self.chain[0], held).map_err(|error| self.io(error))? {
                copies.push(later.remove(at_later));
            }
        }
        self.strangers.append(&mut copies);
        let rotated_later = later.iter().any(|held| held.name != self.family.live());
        // In `later`, behind what is pending and was found.
        let mut next = 0;
        for (which, missing) in pending.iter().enumerate() {
            if let Some(place) = position(&self.key, &later, missing).map_err(|error| self.io(error))? {
                next = next.max(place + 1);
                continue;
            }
            // The rest of a text that was cut is pending in its copy, which can be the file that was found.
            let mut found = false;
            for files in [&self.chain, &self.strangers] {
                found = found || contains(&self.key, files, missing).map_err(|error| self.io(error))?;
            }
            if !found {
                // The last of them may have been the live file, and have grown.
                let lost = (which + 1 < pending.len()).then_some(missing.offset);
                let words = format!(
                    "a file of {} with at least {} bytes was deleted before it was read",
                    self.path.display(),
                    missing.offset
                );
                let told = later.get_mut(next).map_or(&mut self.owed, |held| &mut held.gap);
                join(told, Some(gap(GapReason::Deleted, lost, words)));
            }
        }
        self.chain.append(&mut later);
        let reference = self.new_reference();
        let held = &mut self.chain[0];
        held.reference = Some(reference);
        let mut told = if held.guessed() { held.gap.take() } else { guess };
        told.take_if(|_| !rotated_later);
        held.losses.retain(|(at_loss, _)| *at_loss >= at.offset);
        for (_, lost) in &held.losses {
            join(&mut told, Some(lost.clone()));
        }
        Ok(Next::Found(Found { file: reference, offset: at.offset, gap: told }))
    }

    /// Goes on where the file of the position is nowhere.
    fn go_on_without(&mut self, stored: &Progress, at: &Position, ended: bool) -> Result<Next, SourceError> {
        let mut known = false;
        for read in stored.consumed.iter().chain(&stored.pending) {
            known = known || contains(&self.key, &self.chain, read).map_err(|error| self.io(error))?;
        }
        let mut rest = Vec::new();
        for held in std::mem::take(&mut self.chain) {
            if held.name != self.family.live() && self.was_read(&held, at)? {
                self.done.push(held.stat);
                known = true;
            } else {
                rest.push(held);
            }
        }
        self.chain = rest;
        if ended && !known && self.chain.iter().any(|held| held.stat.size > 0) {
            return Err(SourceError::DifferentSource { path: self.path.clone() });
        }
        if ended && !known {
            // Nothing is there to be compared. Once a file is, the caller resumes again.
            return Ok(Next::NoneYet);
        }
        let words = format!(
            "the file of {} that had been read up to offset {} is not there any more: deleted, or cut and written anew, \
             while nobody watched",
            self.path.display(),
            at.offset
        );
        self.owed = Some(gap(GapReason::Deleted, None, words));
        self.enter_from(0)
    }

    /// The place in the chain behind the last file that was read to its end before `reached` was.
    fn behind_what_was_read(&self, reached: &Position) -> Result<usize, SourceError> {
        for index in (0..self.chain.len()).rev() {
            let held = &self.chain[index];
            if held.end() == 0 && held.name != self.family.live() && self.was_read(held, reached)? {
                return Ok(index + 1);
            }
        }
        Ok(0)
    }

    /// Whether a file was read to its end before `reached` was, by its text; or is a copy that ends before what was read of
    /// its text: as a rule the site is ahead of who copies and cuts.
    fn was_read(&self, held: &Held, reached: &Position) -> Result<bool, SourceError> {
        let Some(file) = held.file.as_deref() else { return Ok(false) };
        for read in self.consumed.iter().chain([reached]) {
            let was = match held.stat.size.cmp(&read.offset) {
                Ordering::Less => self.key.begins(file, read),
                Ordering::Equal => held.matches(&self.key, read),
                Ordering::Greater => Ok(false),
            };
            if was.map_err(|error| self.io(error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether one of the files is the one that the position was taken in.
fn contains(key: &super::AnchorKey, files: &[Held], at: &Position) -> std::io::Result<bool> {
    Ok(position(key, files, at)?.is_some())
}

/// Which of the files the position was taken in.
fn position(key: &super::AnchorKey, files: &[Held], at: &Position) -> std::io::Result<Option<usize>> {
    for (place, held) in files.iter().enumerate() {
        if held.matches(key, at)? {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Whether one of two files is a copy of the other, or of its beginning. Not by a position alone: one at the first bytes of a
/// file matches much.
fn is_copy(one: &Held, other: &Held) -> std::io::Result<bool> {
    let (Some(a), Some(b)) = (one.file.as_deref(), other.file.as_deref()) else { return Ok(false) };
    let length = a.stat()?.size.min(other.stat.size);
    Ok(length > 0 && is_prefix(a, length, b)?)
}
