//! What comes after a text that was cut: the rest of it in a copy, then the file's new text.

use super::anchor::is_prefix;
use super::error::SourceError;
use super::gap::gap;
use super::held::{Held, Text};
use super::log::LogSource;
use super::look::out_of_descriptors;
use crate::wire::GapReason;

impl LogSource {
    /// Puts behind the file at `index`, whose text was cut, what comes after it. What was read of the old text stays in
    /// memory until it is acknowledged.
    pub(super) fn after_cut(&mut self, index: usize) -> Result<(), SourceError> {
        let Text::Cut { lost } = self.chain[index].text else { return Ok(()) };
        // The copy may have been written over an older one, which changes no name.
        self.look(None)?;
        let strangers = self.take_strangers()?;
        let copy = self.copy_of(index, &strangers)?;
        let old = &mut self.chain[index];
        let Some(file) = old.file.take() else { return Ok(()) };
        old.text = Text::Over;
        let name = old.name.clone();
        let stat = file.stat().map_err(|error| SourceError::io(&self.path, error))?;
        let mut next = Held::new(name, Some(file), stat);
        next.present = self.chain[index].present;
        next.note_unread(&self.key).map_err(|error| SourceError::io(&self.path, error))?;

        let end = self.chain[index].end();
        let mut follow = Vec::new();
        for (at, mut stranger) in strangers.into_iter().enumerate() {
            match copy {
                Some(copy) if at < copy => self.strangers.push(stranger),
                Some(copy) if at == copy => {
                    stranger.go_to(end).map_err(|error| SourceError::io(&self.path, error))?;
                    stranger.start = end;
                    follow.push(stranger);
                }
                // Cut more than once since the last look: what lies between was copied whole.
                _ if !stranger.is_from_before() && self.is_generation(index, &stranger, &next)? => {
                    follow.push(stranger);
                }
                _ => self.strangers.push(stranger),
            }
        }
        self.note_from_before(&next)?;
        if copy.is_none() {
            let words = match lost {
                Some(_) => format!("{} was cut before it had been read to its end", self.named(&next)),
                None => {
                    format!("{} was cut, and it can't be told whether it had been read to its end", self.named(&next))
                }
            };
            let first = follow.first_mut().unwrap_or(&mut next);
            first.gap = Some(gap(GapReason::Truncated, lost, words));
        }
        follow.push(next);
        self.chain.splice(index + 1..index + 1, follow);
        self.close_old_strangers();
        Ok(())
    }

    /// Puts before the live file at `index`, of which nothing was read, the copies of texts that it had since it was first
    /// seen and that were cut before anything of them was read. Returns whether there were any.
    pub(super) fn missed(&mut self, index: usize) -> Result<bool, SourceError> {
        let live = &self.chain[index];
        if index + 1 < self.chain.len() || live.end() > 0 || live.name != self.family.live() || live.file.is_none() {
            return Ok(false);
        }
        let mut missed = Vec::new();
        let mut whole = false;
        for stranger in self.take_strangers()? {
            if !stranger.is_from_before()
                && self.is_generation(index, &stranger, &self.chain[index])?
                && !self.was_read_before(index, &stranger)?
            {
                whole = whole || self.chain[index].was(&stranger, &self.key).map_err(|error| self.io(error))?;
                missed.push(stranger);
            } else {
                self.strangers.push(stranger);
            }
        }
        if whole {
            self.chain[index].look().map_err(|error| self.io(error))?;
            self.chain[index].go_on();
        }
        self.close_old_strangers();
        let any = !missed.is_empty();
        self.chain.splice(index..index, missed);
        Ok(any)
    }

    /// Notes that what is aside now is from before the `next` text, unless it is a copy of that. A copy that was made while
    /// the log was read is as a rule shorter than what was read, so its end tells nothing later.
    fn note_from_before(&mut self, next: &Held) -> Result<(), SourceError> {
        for stranger in &mut self.strangers {
            let of_the_next = match (stranger.file.as_deref(), next.file.as_deref()) {
                (Some(file), Some(next)) => is_prefix(file, stranger.stat.size, next),
                _ => Ok(false),
            };
            if !of_the_next.map_err(|error| SourceError::io(&self.path, error))? {
                stranger.from_before = Some(stranger.stat);
            }
        }
        Ok(())
    }

    /// The files that were put aside, as they are now, in their order: first those that are no longer in the directory, since
    /// rotation deletes the oldest.
    fn take_strangers(&mut self) -> Result<Vec<Held>, SourceError> {
        self.open_strangers()?;
        let strangers = std::mem::take(&mut self.strangers);
        let (there, mut gone): (Vec<Held>, Vec<Held>) = strangers.into_iter().partition(|stranger| stranger.present);
        gone.sort_by_key(|stranger| stranger.stat.modified_ns);
        gone.extend(self.sorted(there).0);
        Ok(gone)
    }

    /// Opens the files that were put aside and are not open, and looks at all. Whoever asks for it closes old ones again.
    pub(super) fn open_strangers(&mut self) -> Result<(), SourceError> {
        let opened = self.try_to_open_strangers();
        if opened.is_err() {
            self.close_old_strangers();
        }
        opened
    }

    fn try_to_open_strangers(&mut self) -> Result<(), SourceError> {
        for stranger in &mut self.strangers {
            if stranger.file.is_none() {
                match self.directory.open(&stranger.name) {
                    Ok(file) if file.stat().is_ok_and(|stat| stat.same_file(&stranger.stat)) => {
                        stranger.file = Some(file);
                    }
                    // Without it nobody can say what comes next.
                    Err(error) if out_of_descriptors(&error) => {
                        return Err(SourceError::io(&self.path.with_file_name(&stranger.name), error));
                    }
                    _ => {}
                }
            }
            // A copy that was being made when it was seen has become longer.
            stranger.look().map_err(|error| SourceError::io(&self.path, error))?;
        }
        Ok(())
    }

    /// Whether a file is a copy of one that comes before the one at `index`.
    fn was_read_before(&mut self, index: usize, stranger: &Held) -> Result<bool, SourceError> {
        let before = self.chain[..index].iter_mut().filter_map(|held| held.witness(&self.key));
        for read in before.chain(self.consumed.iter().cloned()) {
            if stranger.matches(&self.key, &read).map_err(|error| SourceError::io(&self.path, error))? {
                return Ok(true);
            }
        }
        let Some(file) = stranger.file.as_deref() else { return Ok(false) };
        for held in &self.chain[..index] {
            if held.begins_like(file, stranger.stat.size).map_err(|error| self.io(error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which of these files is a copy of the text that was cut: it matches at the end of what was read.
    fn copy_of(&mut self, index: usize, strangers: &[Held]) -> Result<Option<usize>, SourceError> {
        let held = &mut self.chain[index];
        let Some(witness) = held.witness(&self.key) else { return Ok(None) };
        let io = |error| SourceError::io(&self.path, error);
        for (at, stranger) in strangers.iter().enumerate() {
            let Some(file) = stranger.file.as_deref() else { continue };
            if !self.key.matches(file, &witness).map_err(io)? {
                continue;
            }
            let size = file.stat().map_err(io)?.size;
            let live = held.file.as_deref();
            // A copy of the new text is no predecessor of it.
            let of_the_new = live.map_or(Ok(false), |live| is_prefix(file, size, live)).map_err(io)?;
            if !of_the_new {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Whether a file beside the log is a text of its own, between the one that was cut and the `next` one.
    fn is_generation(&self, cut: usize, stranger: &Held, next: &Held) -> Result<bool, SourceError> {
        let (Some(file), Some(next)) = (stranger.file.as_deref(), next.file.as_deref()) else { return Ok(false) };
        let size = stranger.stat.size;
        let io = |error| SourceError::io(&self.path, error);
        Ok(size > 0
            && !self.chain[cut].begins_like(file, size).map_err(io)?
            && !is_prefix(file, size, next).map_err(io)?)
    }
}
