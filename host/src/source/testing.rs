//! A directory in memory, for tests in which it matters what happens between two looks.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::sync::{Arc, Mutex};

use super::{Directory, Entry, SourceFile, Stat};

/// A file in memory. Clones are the same file.
#[derive(Clone, Default)]
pub(super) struct Memo {
    content: Arc<Mutex<(Vec<u8>, Stat)>>,
}

impl Memo {
    pub fn of(bytes: &[u8]) -> Self {
        let stat = Stat { size: bytes.len() as u64, ..Stat::default() };
        Self { content: Arc::new(Mutex::new((bytes.to_vec(), stat))) }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<u8>), now: u64) {
        let mut content = self.content.lock().unwrap();
        change(&mut content.0);
        content.1.size = content.0.len() as u64;
        content.1.modified_ns = now;
    }
}

impl SourceFile for Memo {
    fn stat(&self) -> io::Result<Stat> {
        Ok(self.content.lock().unwrap().1)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        let content = self.content.lock().unwrap();
        let rest = content.0.get(offset as usize..).unwrap_or_default();
        let length = rest.len().min(buf.len());
        buf[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// What is to happen just before the next scans, one each.
type Between = Vec<Happens>;

type Happens = Box<dyn FnOnce(&Memos) + Send>;

/// What happens in the middle of a scan, and the name that it has looked at before that.
type Happening = (OsString, Happens);

/// A directory in memory. Clones are the same directory. An inode is used again as soon as a test says so.
#[derive(Clone, Default)]
pub(super) struct Memos {
    files: Arc<Mutex<BTreeMap<OsString, Memo>>>,
    denied: Arc<Mutex<BTreeSet<OsString>>>,
    between: Arc<Mutex<Between>>,
    opening: Arc<Mutex<Option<Happens>>>,
    passed_over: Arc<Mutex<Option<OsString>>>,
    within: Arc<Mutex<Option<Happening>>>,
    clock: Arc<Mutex<u64>>,
}

impl Memos {
    fn tick(&self) -> u64 {
        let mut clock = self.clock.lock().unwrap();
        *clock += 1;
        *clock
    }

    /// Makes a file with an inode of its own.
    pub fn make(&self, name: &str, text: &str) {
        let inode = self.tick() + 1000;
        self.make_with_inode(name, text, inode);
    }

    pub fn make_with_inode(&self, name: &str, text: &str, inode: u64) {
        let file = Memo::default();
        file.content.lock().unwrap().1.inode = inode;
        file.change(|content| content.extend_from_slice(text.as_bytes()), self.tick());
        self.files.lock().unwrap().insert(name.into(), file);
    }

    pub fn inode(&self, name: &str) -> u64 {
        self.file(name).stat().unwrap().inode
    }

    fn file(&self, name: &str) -> Memo {
        self.files.lock().unwrap()[OsStr::new(name)].clone()
    }

    pub fn has_text(&self, name: &str) -> bool {
        self.file(name).stat().unwrap().size > 0
    }

    pub fn append(&self, name: &str, text: &str) {
        self.file(name).change(|content| content.extend_from_slice(text.as_bytes()), self.tick());
    }

    /// Cuts the file and writes it anew.
    pub fn rewrite(&self, name: &str, text: &str) {
        self.file(name).change(|content| *content = text.into(), self.tick());
    }

    /// Refuses to open a name, or allows it again.
    pub fn deny(&self, name: &str, denied: bool) {
        let mut names = self.denied.lock().unwrap();
        if denied {
            names.insert(name.into())
        } else {
            names.remove(OsStr::new(name))
        };
    }

    /// The next scan passes a name over, as one does while whose names are read the file is renamed.
    pub fn pass_over(&self, name: &str) {
        *self.passed_over.lock().unwrap() = Some(name.into());
    }

    /// Something that happens in the middle of the next scan: when it has looked at this name, and at no other yet.
    pub fn within_scan(&self, seen: &str, happens: impl FnOnce(&Memos) + Send + 'static) {
        *self.within.lock().unwrap() = Some((seen.into(), Box::new(happens)));
    }

    /// Sets the time of its last change.
    pub fn touch(&self, name: &str, modified_ns: u64) {
        self.file(name).content.lock().unwrap().1.modified_ns = modified_ns;
    }

    pub fn rename(&self, from: &str, to: &str) {
        let mut files = self.files.lock().unwrap();
        let file = files.remove(OsStr::new(from)).unwrap();
        files.insert(to.into(), file);
    }

    pub fn link(&self, from: &str, to: &str) {
        let file = self.file(from);
        self.files.lock().unwrap().insert(to.into(), file);
    }

    pub fn copy(&self, from: &str, to: &str) {
        let text = String::from_utf8(self.file(from).content.lock().unwrap().0.clone()).unwrap();
        self.make(to, &text);
    }

    pub fn delete(&self, name: &str) {
        self.files.lock().unwrap().remove(OsStr::new(name)).unwrap();
    }

    /// Something that happens just before the next file is opened.
    pub fn before_open(&self, happens: impl FnOnce(&Memos) + Send + 'static) {
        *self.opening.lock().unwrap() = Some(Box::new(happens));
    }

    /// Something that happens just before a scan: the first call's before the next, the second's before the one after.
    pub fn before_scan(&self, happens: impl FnOnce(&Memos) + Send + 'static) {
        self.between.lock().unwrap().push(Box::new(happens));
    }
}

impl Directory for Memos {
    fn scan(&self, wanted: &dyn Fn(&OsStr) -> bool) -> io::Result<Vec<Entry>> {
        let happens = {
            let mut between = self.between.lock().unwrap();
            (!between.is_empty()).then(|| between.remove(0))
        };
        if let Some(happens) = happens {
            happens(self);
        }
        let within = self.within.lock().unwrap().take();
        let mut seen = None;
        if let Some((name, happens)) = within {
            seen = Some(Entry { stat: self.files.lock().unwrap()[&name].stat()?, name });
            happens(self);
        }
        let files = self.files.lock().unwrap();
        let passed_over = self.passed_over.lock().unwrap().take().or(seen.as_ref().map(|entry| entry.name.clone()));
        let entries = files.iter().filter(|(name, _)| wanted(name) && Some(*name) != passed_over.as_ref());
        let entries = entries.map(|(name, file)| Ok(Entry { name: name.clone(), stat: file.stat()? }));
        seen.into_iter().map(Ok).chain(entries).collect()
    }

    fn open(&self, name: &OsStr) -> io::Result<Box<dyn SourceFile>> {
        let happens = self.opening.lock().unwrap().take();
        if let Some(happens) = happens {
            happens(self);
        }
        if self.denied.lock().unwrap().contains(name) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        match self.files.lock().unwrap().get(name) {
            Some(file) => Ok(Box::new(file.clone())),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
