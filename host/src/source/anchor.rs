//! Anchors: how a file is recognised by what is in it.
//!
//! Device and inode are a hint only: they change on a remount and are used again at once. A position therefore carries
//! two anchors, one over the head of the file and one over the bytes just before the offset. A file that matches both is
//! the one that was read, whatever it is called and whatever its inode; a file that does not is another one.

use std::fmt;
use std::hash::Hasher;
use std::io;

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher24;

use super::directory::{SourceFile, Stat, read_full};
use crate::wire;

/// The most bytes that one anchor covers. A page: enough that two logs with the same banner differ, small enough to be
/// read again after each read of a chunk without being felt.
pub(super) const SPAN: usize = 4096;

/// The key of a site's anchors. Without it nobody, the server included, can test a guess at a log's text against an anchor.
#[derive(Clone)]
pub struct AnchorKey([u8; 16]);

impl AnchorKey {
    /// Derives the key from a secret of the site, such as its private TLS key. The same secret gives the same key, so that
    /// a restarted site recognises its files; the key tells nothing about the secret.
    pub fn from_secret(secret: &[u8]) -> Self {
        let digest = Sha256::new().chain_update(b"fedtail source anchor key 1\0").chain_update(secret).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Self(key)
    }

    /// The anchor of `bytes`, which begin at offset `at` of their file.
    pub(super) fn anchor(&self, at: u64, bytes: &[u8]) -> wire::Anchor {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(bytes);
        wire::Anchor { at, length: bytes.len() as u32, hash: hasher.finish() }
    }

    /// The position `offset` in a file with this anchor of its head and these bytes before the offset, each as long as
    /// [`span`] says.
    pub(super) fn position(&self, stat: Stat, offset: u64, head: wire::Anchor, tail: &[u8]) -> wire::Position {
        wire::Position {
            device: stat.device,
            inode: stat.inode,
            offset,
            head: Some(head),
            tail: Some(self.anchor(offset - tail.len() as u64, tail)),
        }
    }

    /// The position `offset` of a file, read from it; none where the file is shorter.
    pub(super) fn position_in(
        &self,
        file: &dyn SourceFile,
        stat: Stat,
        offset: u64,
    ) -> io::Result<Option<wire::Position>> {
        let mut head = [0; SPAN];
        let mut tail = [0; SPAN];
        let length = span(offset);
        let from = offset - length as u64;
        if read_full(file, &mut head[..length], 0)? < length || read_full(file, &mut tail[..length], from)? < length {
            return Ok(None);
        }
        Ok(Some(self.position(stat, offset, self.anchor(0, &head[..length]), &tail[..length])))
    }

    /// Whether the file is the one that the position was taken in: both anchors match. A position comes from the server, so
    /// one whose anchors do not cover what they must (nothing at all, for example) matches no file.
    pub(super) fn matches(&self, file: &dyn SourceFile, position: &wire::Position) -> io::Result<bool> {
        if position.offset == 0 {
            return Ok(false);
        }
        let here = self.position_in(file, Stat::default(), position.offset)?;
        Ok(here.is_some_and(|here| same(&here, position)))
    }

    /// Whether the file begins as the one did that the position was taken in, as far as a whole anchor tells: a shorter one
    /// fits too many files.
    pub(super) fn begins(&self, file: &dyn SourceFile, position: &wire::Position) -> io::Result<bool> {
        let mut head = [0; SPAN];
        Ok(read_full(file, &mut head, 0)? == SPAN && position.head == Some(self.anchor(0, &head)))
    }
}

impl fmt::Debug for AnchorKey {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnchorKey(..)")
    }
}

/// How many bytes each of the two anchors of a position at `offset` covers.
pub(super) fn span(offset: u64) -> usize {
    offset.min(SPAN as u64) as usize
}

/// Whether two positions are the same place of the same file, by their anchors alone.
pub(super) fn same(a: &wire::Position, b: &wire::Position) -> bool {
    a.offset == b.offset && a.head.is_some() && a.tail.is_some() && a.head == b.head && a.tail == b.tail
}

/// Whether all of `a` (`length` bytes) is how `b` begins, by the bytes that two anchors would cover.
pub(super) fn is_prefix(a: &dyn SourceFile, length: u64, b: &dyn SourceFile) -> io::Result<bool> {
    let covered = span(length);
    for at in [0, length - covered as u64] {
        let (mut left, mut right) = ([0; SPAN], [0; SPAN]);
        if read_full(a, &mut left[..covered], at)? < covered || read_full(b, &mut right[..covered], at)? < covered {
            return Ok(false);
        }
        if left != right {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::super::testing::Memo;
    use super::*;

    #[test]
    fn another_secret_gives_another_anchor_and_the_same_secret_the_same() {
        let anchor = |secret: &[u8]| AnchorKey::from_secret(secret).anchor(0, b"patient 17");
        assert_eq!(anchor(b"a"), anchor(b"a"));
        assert_ne!(anchor(b"a").hash, anchor(b"b").hash);
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", AnchorKey::from_secret(b"s")), "AnchorKey(..)");
    }

    #[test]
    fn a_position_matches_its_file_as_it_grows_and_no_file_that_differs_at_either_end() {
        let key = AnchorKey::from_secret(b"s");
        let text: Vec<u8> = (0..20_000u32).flat_map(|n| n.to_le_bytes()).collect();
        let position = key.position_in(&Memo::of(&text), Stat::default(), 50_000).unwrap().unwrap();
        assert!(key.matches(&Memo::of(&text), &position).unwrap());
        assert!(key.matches(&Memo::of(&text[..50_000]), &position).unwrap());
        assert!(!key.matches(&Memo::of(&text[..49_999]), &position).unwrap());
        for changed in [0, 4095, 50_000 - 4096, 49_999] {
            let mut other = text.clone();
            other[changed] ^= 1;
            assert!(!key.matches(&Memo::of(&other), &position).unwrap(), "byte {changed} differs");
        }
    }

    #[test]
    fn a_position_whose_anchors_cover_too_little_matches_nothing() {
        let key = AnchorKey::from_secret(b"s");
        let empty = key.anchor(0, b"");
        for offset in [0, 3] {
            let (head, tail) = (Some(empty), Some(wire::Anchor { at: offset, ..empty }));
            let position = wire::Position { offset, head, tail, ..Default::default() };
            assert!(!key.matches(&Memo::of(b"abc"), &position).unwrap());
        }
        let bare = wire::Position { offset: 3, ..Default::default() };
        assert!(!key.matches(&Memo::of(b"abc"), &bare).unwrap());
    }
}
