//! A policy over lines.

use crate::Custom;

/// A policy that changes or drops lines before they leave the site.
///
/// It gets whole lines only, in order, each once: lines that a read cuts in two, or a rotation, are put together first.
/// What it writes leaves together with the position behind the line, so that nothing is lost or sent twice whatever
/// breaks. After a reconnect or a fault a fresh value is made with [`start`](Self::start), and goes on behind the last
/// line that the server has.
pub trait Lines: Sized {
    /// The longest line that is kept in memory, in bytes, its line feed included. A longer one is withheld, since what is
    /// not seen whole can't be judged; see [`too_long`](Self::too_long). At most some megabytes: an instance has 32 MiB.
    const LONGEST: usize = 1 << 20;

    /// Takes the site's own settings. An error says in words which one is wrong, and ends the stream; so does a setting
    /// that is not taken.
    fn start(custom: &mut Custom) -> Result<Self, String>;

    /// One line, with its line feed, except for a last line that has none. Writes what leaves the site to `out`, line
    /// feed included; nothing, where the line is dropped. At most 4 MiB for one line.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>);

    /// The rest of a line whose beginning left before this value was made: by another policy, or as a last line without
    /// line feed that went on. By default it is treated as a line.
    fn rest(&mut self, rest: &[u8], out: &mut Vec<u8>) {
        self.line(rest, out);
    }

    /// A line of more than [`LONGEST`](Self::LONGEST) bytes, in all `length`, is withheld. By default a line says so in
    /// its place.
    fn too_long(&mut self, length: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(["[a line of ", &length.to_string(), " bytes was withheld]\n"].concat().as_bytes());
    }

    /// Where a fresh value could take over, asked after each line. A policy that decides about a line by those before it
    /// says here where it does not depend on them; by default that is everywhere.
    ///
    /// The stream's position stays at such places, as far as it can: at the end of a file and after a megabyte without
    /// one it moves on all the same.
    fn boundary(&self) -> Boundary {
        Boundary::Behind
    }
}

/// Where around the line that was just given a fresh policy could take over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// Behind it, and before it too.
    Behind,
    /// Before it, and not behind: what follows may belong to it.
    Before,
    /// Neither: it belongs to what was before it, and what follows may belong to it.
    Neither,
}
