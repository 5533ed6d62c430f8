//! The job: it writes a log and rotates it in every way that is in use, and remembers what it wrote.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::act::{Act, Scheme, Text};
use super::records::{LAST_WORDS, record};
use super::time::SimulatedTime;
use crate::clock::Clock;
use crate::source::Stat;

mod acts;
mod directory;

use self::directory::JobDirectory;

/// The log's name.
pub(super) const LOG: &str = "log.txt";

/// What became of a byte that the job wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It can be read, or the site has had it.
    Kept,
    /// It was destroyed, and the site may not have read it: where it is missing, a gap is told.
    Destroyed,
    /// It was written and destroyed between two looks of the site: nobody can know that it was there.
    Traceless,
}

#[derive(Default)]
struct File {
    inode: u64,
    bytes: Vec<u8>,
    /// Which bytes of the whole text these are.
    origin: Vec<u32>,
    modified: u64,
    changed: u64,
    named: bool,
    opened: u32,
    /// The site's operations when it last read of the file: a size alone does not prove what was there.
    looked_at: u32,
    /// The site's process that has seen it and was given time to open it.
    seen_by: u64,
}

struct State {
    names: BTreeMap<OsString, usize>,
    files: Vec<File>,
    free: Vec<u64>,
    inodes: u64,
    time: SimulatedTime,
    scheme: Scheme,
    text: Text,
    lines: u64,
    rotations: u64,
    written: Vec<u8>,
    fates: Vec<Fate>,
    /// The site's operations on files so far; and how many there were when each byte was written.
    operations: u32,
    written_at: Vec<u32>,
    /// The site's process.
    process: u64,
    /// What happens in the middle of the site's look at its files: after so many operations.
    race: Option<(u64, Act)>,
    /// Whether anything changed since this was asked last.
    disturbed: bool,
    descriptors: bool,
    /// Whether the site's turn looked at the directory.
    scanned: bool,
    /// The site's operations when it looked at the directory last.
    scanned_at: u32,
    /// Changes so far: no two are at the same time.
    changes: u64,
    /// Whether the site may have let go of what it will need.
    lets_go: bool,
    /// A copy that is in progress.
    copying: Option<usize>,
    /// The rest of a record whose beginning is written.
    unfinished: Vec<u8>,
}

/// The job and its directory. Clones are the same.
#[derive(Clone)]
pub(super) struct Job(Arc<Mutex<State>>);

impl Job {
    pub fn new(time: SimulatedTime, scheme: Scheme, text: Text) -> Self {
        Self(Arc::new(Mutex::new(State {
            names: BTreeMap::new(),
            files: Vec::new(),
            free: Vec::new(),
            inodes: 100,
            time,
            scheme,
            text,
            lines: 0,
            rotations: 0,
            written: Vec::new(),
            fates: Vec::new(),
            operations: 0,
            written_at: Vec::new(),
            process: 1,
            race: None,
            disturbed: false,
            descriptors: true,
            scanned: false,
            scanned_at: 0,
            changes: 0,
            lets_go: false,
            copying: None,
            unfinished: Vec::new(),
        })))
    }

    /// One that has written this, and writes nothing more.
    pub fn over(time: SimulatedTime, text: &[u8]) -> Self {
        let job = Self::new(time, Scheme::Upwards, Text::Lines);
        {
            let mut state = job.lock();
            let file = state.live();
            state.put_down(file, text);
            state.touch(file);
        }
        job
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn act(&self, act: Act) {
        self.lock().act(act);
    }

    /// Lets it act in the middle of the site's next look, after so many operations on files.
    pub fn race(&self, after: u64, act: Act) {
        self.lock().race = Some((after, act));
    }

    /// The job is over: what it had begun, it does now.
    pub fn stop(&self) {
        let mut state = self.lock();
        if let Some((_, act)) = state.race.take() {
            state.act(act);
        }
        state.finish_copy();
        if state.text == Text::Records {
            state.finish_record();
            let file = state.live();
            if state.lines.is_multiple_of(3) {
                state.put_down(file, LAST_WORDS);
                state.touch(file);
            }
        }
    }

    /// Where a stream is that has come to the end: the newest file's inode and length. None where that file is empty, or
    /// not there.
    pub fn end(&self) -> Option<(u64, u64)> {
        let state = self.lock();
        let file = &state.files[*state.names.get(OsStr::new(LOG))?];
        (!file.bytes.is_empty()).then_some((file.inode, file.bytes.len() as u64))
    }

    /// Refuses to open more files, or allows it again.
    pub fn set_descriptors(&self, left: bool) {
        self.lock().descriptors = left;
    }

    /// The site has done a turn: it has had the chance to open what it saw.
    pub fn site_looked(&self) {
        let mut state = self.lock();
        let process = state.process;
        if !std::mem::take(&mut state.disturbed) && state.scanned && state.descriptors && !state.lets_go {
            let named: Vec<_> = state.names.iter().filter(|(name, _)| is_text(name)).map(|(_, file)| *file).collect();
            named.into_iter().for_each(|file| state.files[file].seen_by = process);
        }
    }

    /// The site is about to do a turn.
    pub fn site_looks(&self) {
        let mut state = self.lock();
        (state.disturbed, state.scanned) = (false, false);
    }

    /// The site's operations on files before it looked at the directory last: a line leaves before what else has happened
    /// there is looked at.
    pub fn looked(&self) -> u32 {
        self.lock().scanned_at
    }

    /// The site's process ended: what only it had is gone, and what only it knew. The store knows of what the site knew
    /// when it had done `known` operations.
    pub fn site_ended(&self, known: u32) {
        let mut state = self.lock();
        let state = &mut *state;
        state.process += 1;
        state.race = None;
        state.lose_unnamed();
        for (fate, written_at) in state.fates.iter_mut().zip(&mut state.written_at) {
            if *written_at >= known {
                *written_at = state.operations;
                if *fate == Fate::Destroyed {
                    *fate = Fate::Traceless;
                }
            }
        }
    }

    /// The server lost what it had acknowledged: what the site let go is gone.
    pub fn acknowledged_was_lost(&self) {
        let mut state = self.lock();
        state.lose_unnamed();
        state.files.iter_mut().for_each(|file| file.seen_by = 0);
        state.lets_go = true;
    }

    /// The site hears where it is to go on: what it needs from there it has opened after its next look.
    pub fn site_resumes(&self) {
        self.lock().lets_go = false;
    }

    /// Looks at what was written in all, and at what became of each byte.
    pub fn with_truth<T>(&self, look: impl FnOnce(&[u8], &[Fate]) -> T) -> T {
        let state = self.lock();
        look(&state.written, &state.fates)
    }

    /// The names now, with lengths, for a trace.
    pub fn listing(&self) -> String {
        let state = self.lock();
        let entry = |(name, file): (&OsString, &usize)| {
            let file = &state.files[*file];
            format!("{}={}#{}", name.display(), file.bytes.len(), file.inode)
        };
        state.names.iter().map(entry).collect::<Vec<_>>().join(" ")
    }

    /// The directory, as the site's process sees it.
    pub fn directory(&self) -> JobDirectory {
        JobDirectory(self.clone())
    }
}

fn is_text(name: &OsStr) -> bool {
    !name.as_encoded_bytes().ends_with(b".gz")
}

impl State {
    /// The time of a change.
    fn now(&mut self) -> u64 {
        self.changes += 1;
        self.time.wall() + self.changes
    }

    fn make(&mut self, name: &str) -> usize {
        // An inode is used again as soon as nobody has the file any more.
        let inode = self.free.pop().unwrap_or_else(|| {
            self.inodes += 1;
            self.inodes
        });
        let now = self.now();
        self.files.push(File { inode, named: true, modified: now, changed: now, ..File::default() });
        self.put(name, self.files.len() - 1);
        self.files.len() - 1
    }

    fn put(&mut self, name: &str, file: usize) {
        if let Some(before) = self.names.insert(name.into(), file) {
            self.unname(before);
        }
        self.files[file].named = true;
        self.files[file].changed = self.now();
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(file) = self.names.remove(OsStr::new(from)) {
            self.put(to, file);
        }
    }

    fn delete(&mut self, name: &str) {
        if let Some(file) = self.names.remove(OsStr::new(name)) {
            self.unname(file);
        }
    }

    fn unname(&mut self, file: usize) {
        self.files[file].named = false;
        if self.files[file].seen_by != self.process {
            self.lose(file, 0);
        }
        self.release(file);
    }

    fn release(&mut self, file: usize) {
        let gone = &self.files[file];
        if !gone.named && gone.opened == 0 && !self.free.contains(&gone.inode) {
            self.free.push(gone.inode);
        }
    }

    /// Bytes of a file from `from` on may be lost, unless they stand elsewhere.
    fn lose(&mut self, file: usize, from: usize) {
        let lost: Vec<u32> = self.files[file].origin[from..].to_vec();
        let kept = self.named_bytes();
        let looked_at = self.files[file].looked_at;
        lost.into_iter().filter(|byte| !kept[*byte as usize]).for_each(|byte| self.destroy(byte as usize, looked_at));
    }

    fn lose_unnamed(&mut self) {
        let kept = self.named_bytes();
        (0..kept.len()).filter(|byte| !kept[*byte]).for_each(|byte| self.destroy(byte, u32::MAX));
    }

    /// `looked_at`: when the site last looked at the file.
    fn destroy(&mut self, byte: usize, looked_at: u32) {
        if self.fates[byte] == Fate::Kept {
            let unseen = self.written_at[byte] >= looked_at.min(self.operations);
            self.fates[byte] = if unseen { Fate::Traceless } else { Fate::Destroyed };
        }
    }

    /// Which bytes stand in a file that a name leads to.
    fn named_bytes(&self) -> Vec<bool> {
        let mut kept = vec![false; self.written.len()];
        for (name, file) in &self.names {
            if is_text(name) {
                self.files[*file].origin.iter().for_each(|byte| kept[*byte as usize] = true);
            }
        }
        kept
    }

    fn live(&mut self) -> usize {
        match self.names.get(OsStr::new(LOG)) {
            Some(file) => *file,
            None => self.make(LOG),
        }
    }

    fn append(&mut self, length: u64) {
        let file = self.live();
        let mut left = length as i64;
        while left > 0 {
            self.lines += 1;
            let line = match self.text {
                Text::Lines => format!("line {:06} {:x}\n", self.lines, self.lines.wrapping_mul(0x9e37_79b9_7f4a_7c15))
                    .into_bytes(),
                Text::Equal => b"the same line again\n".to_vec(),
                Text::OneLine => format!("{:06} without an end; ", self.lines).into_bytes(),
                Text::Binary => {
                    let mut chance = super::chance::Chance::new(self.lines);
                    (0..24).map(|_| (chance.next() & chance.next()) as u8).collect()
                }
                Text::Records => record(self.lines),
            };
            left -= line.len() as i64;
            self.put_down(file, &line);
        }
        self.touch(file);
    }

    fn put_down(&mut self, file: usize, text: &[u8]) {
        for byte in text {
            self.files[file].origin.push(self.written.len() as u32);
            self.files[file].bytes.push(*byte);
            self.written.push(*byte);
            self.fates.push(Fate::Kept);
            self.written_at.push(self.operations);
        }
    }

    /// Writes the beginning of a record; the rest comes with what the job does next. Logs are rotated between records.
    fn begin_record(&mut self) {
        self.lines += 1;
        let mut beginning = record(self.lines);
        self.unfinished = beginning.split_off(beginning.len() / 2);
        let file = self.live();
        self.put_down(file, &beginning);
        self.touch(file);
    }

    fn finish_record(&mut self) {
        let rest = std::mem::take(&mut self.unfinished);
        if !rest.is_empty() {
            let file = self.live();
            self.put_down(file, &rest);
            self.touch(file);
        }
    }

    fn touch(&mut self, file: usize) {
        let now = self.now();
        let file = &mut self.files[file];
        file.modified = now;
        file.changed = now;
    }

    fn cut(&mut self) {
        let file = self.live();
        let (bytes, origin) =
            (std::mem::take(&mut self.files[file].bytes), std::mem::take(&mut self.files[file].origin));
        drop(bytes);
        let kept = self.named_bytes();
        let looked_at = self.files[file].looked_at;
        origin.into_iter().filter(|byte| !kept[*byte as usize]).for_each(|byte| self.destroy(byte as usize, looked_at));
        self.touch(file);
    }

    /// Names of rotated files, oldest first.
    fn rotated(&self) -> Vec<String> {
        let names = self.names.keys().filter_map(|name| name.to_str());
        let mut rotated: Vec<String> =
            names.filter(|name| *name != LOG && !name.ends_with(".gz")).map(str::to_owned).collect();
        let number = |name: &String| name.rsplit(['.', '-']).next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        rotated.sort_by_key(number);
        if matches!(self.scheme, Scheme::Shifting(_)) {
            rotated.reverse();
        }
        rotated
    }

    /// Makes room for the next rotated file, and says its name.
    fn next_name(&mut self) -> String {
        self.rotations += 1;
        match self.scheme {
            Scheme::Upwards => format!("{LOG}.{}", self.rotations),
            Scheme::Dated => format!("{LOG}-{}", 20_240_100 + self.rotations),
            Scheme::Shifting(keep) => {
                self.delete(&format!("{LOG}.{keep}"));
                let newer = self.rotated().len() as u64;
                for number in (1..keep.min(newer + 1)).rev() {
                    self.rename(&format!("{LOG}.{number}"), &format!("{LOG}.{}", number + 1));
                }
                format!("{LOG}.1")
            }
        }
    }

    /// What every operation of the site on files begins with.
    fn operation(&mut self) {
        self.operations += 1;
        match &mut self.race {
            Some((0, act)) => {
                let act = *act;
                self.race = None;
                self.act(act);
            }
            Some((left, _)) => *left -= 1,
            None => {}
        }
    }

    fn stat(&self, file: usize) -> Stat {
        let file = &self.files[file];
        let size = file.bytes.len() as u64;
        Stat { device: 1, inode: file.inode, size, modified_ns: file.modified, changed_ns: file.changed }
    }
}
