use std::cell::RefCell;
use std::collections::VecDeque;

use super::*;
use crate::Boundary;
use crate::testing::filter;

/// Lines are shouted; those that begin with `-` are dropped, and so are lines that begin with a space behind such a one.
struct Shout {
    drops: bool,
    first: bool,
}

impl Lines for Shout {
    const LONGEST: usize = 40;

    fn start(custom: &mut Custom) -> Result<Self, String> {
        custom.take("known");
        Ok(Self { drops: false, first: true })
    }

    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        self.first = !line.starts_with(b" ");
        if self.first {
            self.drops = line.starts_with(b"-");
        }
        if !self.drops {
            out.extend(line.to_ascii_uppercase());
        }
    }

    fn rest(&mut self, _rest: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(b"(rest)\n");
    }

    fn boundary(&self) -> Boundary {
        match (self.drops, self.first) {
            (false, _) => Boundary::Behind,
            (true, true) => Boundary::Before,
            (true, false) => Boundary::Neither,
        }
    }
}

#[test]
fn lines_are_changed_and_dropped_whole_however_they_are_read() {
    let log = "one\n-two\n also dropped\nthree\n-four\n-five\n tail\n";
    assert_eq!(filter::<Shout>(&[], log).unwrap(), "ONE\nTHREE\n");
    assert_eq!(filter::<Shout>(&[], "").unwrap(), "");
    assert_eq!(filter::<Shout>(&[], "\n\n").unwrap(), "\n\n");
}

#[test]
fn a_last_line_without_line_feed_is_sent_at_the_end() {
    assert_eq!(filter::<Shout>(&[], "one\ntw").unwrap(), "ONE\nTW");
    assert_eq!(filter::<Shout>(&[], "one\n-tw").unwrap(), "ONE\n");
}

#[test]
fn a_line_that_is_too_long_is_withheld_with_a_word() {
    let log = format!("a\n{}\nb\n", "x".repeat(1000));
    assert_eq!(filter::<Shout>(&[], &log).unwrap(), "A\n[a line of 1001 bytes was withheld]\nB\n");
    let log = format!("a\n{}", "x".repeat(41));
    assert_eq!(filter::<Shout>(&[], &log).unwrap(), "A\n[a line of 41 bytes was withheld]\n");
    let log = format!("{}\n", "x".repeat(39));
    assert_eq!(filter::<Shout>(&[], &log).unwrap(), log.to_uppercase());
}

#[test]
fn a_setting_that_the_policy_does_not_take_is_refused() {
    assert!(filter::<Shout>(&[("known", "")], "").is_ok());
    assert!(filter::<Shout>(&[("unknown", "")], "").unwrap_err().contains("`unknown`"));
}

/// A log in several files, whose test owns the link.
#[derive(Clone, Default)]
struct Files(Rc<RefCell<Inner>>);

#[derive(Default)]
struct Inner {
    files: Vec<Vec<u8>>,
    /// The current file, and how far it was read.
    current: (usize, u64),
    stored: (usize, u64),
    queued: Vec<(Vec<u8>, (usize, u64))>,
    parts: Vec<u8>,
    refusals: VecDeque<SendError>,
    heard: String,
}

impl Files {
    fn new(files: &[&str]) -> Self {
        let files = files.iter().map(|file| file.as_bytes().to_vec()).collect();
        Self(Rc::new(RefCell::new(Inner { files, ..Inner::default() })))
    }

    fn write(&self, text: &str) {
        self.0.borrow_mut().files.last_mut().unwrap().extend_from_slice(text.as_bytes());
    }

    fn refuse(&self, error: SendError) {
        self.0.borrow_mut().refusals.push_back(error);
    }

    /// The server stores what was queued, or the link breaks and it is gone.
    fn stores(&self, stores: bool) {
        let mut inner = self.0.borrow_mut();
        for (bytes, reached) in std::mem::take(&mut inner.queued) {
            if stores {
                inner.heard.push_str(std::str::from_utf8(&bytes).unwrap());
                inner.stored = reached;
            }
        }
    }

    fn heard(&self) -> String {
        self.stores(true);
        self.0.borrow().heard.clone()
    }

    fn stored_at(&self) -> (usize, u64) {
        self.stores(true);
        self.0.borrow().stored
    }
}

impl Host for Files {
    type File = usize;
    type Chunk = Vec<u8>;
    type Gap = ();

    fn now(&mut self) -> Nanos {
        0
    }

    fn resume(&mut self) -> Result<Successor<usize, ()>, SourceError> {
        let mut inner = self.0.borrow_mut();
        inner.parts.clear();
        inner.queued.clear();
        inner.current = inner.stored;
        Ok(Successor::Next(Found { file: inner.current.0, offset: inner.current.1, lost: None }))
    }

    fn after(&mut self, file: &usize) -> Result<Successor<usize, ()>, SourceError> {
        let mut inner = self.0.borrow_mut();
        if file + 1 == inner.files.len() {
            return Ok(Successor::NoneYet);
        }
        if inner.current.1 < inner.files[*file].len() as u64 {
            return Ok(Successor::Unread);
        }
        inner.current = (file + 1, 0);
        Ok(Successor::Next(Found { file: file + 1, offset: 0, lost: None }))
    }

    fn size(&mut self, file: &usize) -> Result<u64, SourceError> {
        Ok(self.0.borrow().files[*file].len() as u64)
    }

    fn read(&mut self, file: &usize, offset: u64, max: u32) -> Result<Vec<u8>, SourceError> {
        let mut inner = self.0.borrow_mut();
        assert_eq!(*file, inner.current.0, "only the current file is read");
        assert!(offset <= inner.current.1, "a read follows what was read before");
        let rest = &inner.files[*file][offset as usize..];
        let bytes = rest[..rest.len().min(max as usize).min(5)].to_vec();
        inner.current.1 = inner.current.1.max(offset + bytes.len() as u64);
        Ok(bytes)
    }

    fn len(&mut self, chunk: &Vec<u8>) -> u32 {
        chunk.len() as u32
    }

    fn window(&mut self) -> u64 {
        1
    }

    fn send(&mut self, data: &Vec<u8>, file: &usize, reached: u64) -> Result<(), SendError> {
        let mut inner = self.0.borrow_mut();
        if let Some(error) = inner.refusals.pop_front() {
            return Err(error);
        }
        assert_eq!(*file, inner.current.0, "only the current file takes positions");
        assert!(reached > 0 && reached <= inner.current.1, "a position within what was read");
        let mut bytes = std::mem::take(&mut inner.parts);
        bytes.extend_from_slice(data);
        inner.queued.push((bytes, (*file, reached)));
        Ok(())
    }

    fn report_gap(&mut self, (): &()) -> Result<(), SendError> {
        Ok(())
    }

    fn gap_in_words(&mut self, _why: String) {}

    fn say(&mut self, _level: Level, _words: &str) {}
}

impl Content for Files {
    fn bytes(&mut self, chunk: &Vec<u8>) -> Vec<u8> {
        chunk.clone()
    }

    fn chunk(&mut self, bytes: &[u8]) -> Vec<u8> {
        assert!(bytes.len() <= 8, "no chunk is larger than the host takes");
        bytes.to_vec()
    }

    fn send_part(&mut self, data: &Vec<u8>) -> Result<(), SendError> {
        let mut inner = self.0.borrow_mut();
        if let Some(error) = inner.refusals.pop_front() {
            return Err(error);
        }
        inner.parts.extend_from_slice(data);
        Ok(())
    }

    fn skip(&mut self, file: &usize, reached: u64) -> Result<(), SendError> {
        self.send(&Vec::new(), file, reached)
    }
}

fn policy(files: &Files, once: bool) -> Filter<Files, Shout> {
    let settings = Settings { poll_interval: 1, max_chunk_size: 8, once, custom: Vec::new() };
    Filter::start(files.clone(), settings).unwrap()
}

fn step(policy: &mut Filter<Files, Shout>, mut wake: Wake) -> Next {
    // An instant that has passed means: again at once.
    for _ in 0..100 {
        match policy.step(wake).unwrap() {
            Next::Wait(0) => wake = Wake::Timer,
            next => return next,
        }
    }
    panic!("it never waits");
}

#[test]
fn a_line_that_a_rotation_cuts_is_one_line() {
    let files = Files::new(&["one\ntw", "o\nthree\n"]);
    let mut policy = policy(&files, false);
    step(&mut policy, Wake::Connected);
    assert_eq!(files.heard(), "ONE\nTWO\nTHREE\n");
}

#[test]
fn half_a_line_waits_for_its_rest_and_its_position_with_it() {
    let files = Files::new(&["one\ntw"]);
    let mut policy = policy(&files, false);
    step(&mut policy, Wake::Connected);
    assert_eq!((files.heard().as_str(), files.stored_at()), ("ONE\n", (0, 4)));
    files.write("o\n");
    step(&mut policy, Wake::Changed);
    assert_eq!((files.heard().as_str(), files.stored_at()), ("ONE\nTWO\n", (0, 8)));
}

#[test]
fn dropped_lines_move_the_position_once_the_next_line_shows_that_they_are_over() {
    let files = Files::new(&["one\n-two\n more\n"]);
    let mut policy = policy(&files, false);
    step(&mut policy, Wake::Connected);
    assert_eq!(files.stored_at(), (0, 4));
    files.write("-three\n");
    step(&mut policy, Wake::Changed);
    assert_eq!((files.heard().as_str(), files.stored_at()), ("ONE\n", (0, 15)));
}

#[test]
fn after_a_reconnect_lines_go_on_from_what_is_stored() {
    let files = Files::new(&["one\n-two\n more\nthree\nfo"]);
    let mut policy = policy(&files, false);
    step(&mut policy, Wake::Connected);
    files.stores(false);
    files.write("ur\n");
    step(&mut policy, Wake::Connected);
    assert_eq!(files.heard(), "ONE\nTHREE\nFOUR\n");
}

#[test]
fn a_range_of_several_parts_is_not_doubled_by_a_full_window() {
    let files = Files::new(&["a line of some length\n"]);
    let mut policy = policy(&files, false);
    files.refuse(SendError::WindowFull);
    step(&mut policy, Wake::Connected);
    files.refuse(SendError::WindowFull);
    step(&mut policy, Wake::Writable);
    step(&mut policy, Wake::Writable);
    assert_eq!(files.heard(), "A LINE OF SOME LENGTH\n");
}

#[test]
fn the_end_is_not_reached_before_a_last_half_line_is_taken() {
    let files = Files::new(&["one\ntw"]);
    let mut policy = policy(&files, true);
    files.refuse(SendError::WindowFull);
    // The first range is refused; the second try gets it out and is refused the last line.
    assert_eq!(step(&mut policy, Wake::Connected), Next::Wait(1));
    files.0.borrow_mut().refusals = VecDeque::new();
    assert_eq!(step(&mut policy, Wake::Writable), Next::Finished);
    assert_eq!((files.heard().as_str(), files.stored_at()), ("ONE\nTW", (0, 6)));
}

#[test]
fn the_rest_of_a_line_that_has_left_in_part_is_told_apart() {
    let files = Files::new(&["one\ntwo\n"]);
    files.0.borrow_mut().stored = (0, 6);
    let mut policy = policy(&files, true);
    step(&mut policy, Wake::Connected);
    assert_eq!(files.heard(), "(rest)\n");
}

#[test]
fn what_is_held_for_the_next_line_leaves_with_the_end() {
    let files = Files::new(&["one\n-two\n"]);
    let mut policy = policy(&files, true);
    assert_eq!(step(&mut policy, Wake::Connected), Next::Finished);
    assert_eq!((files.heard().as_str(), files.stored_at()), ("ONE\n", (0, 9)));
}
