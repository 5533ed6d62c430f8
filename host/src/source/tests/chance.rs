//! Long random histories of one log, with a model of what must arrive: every byte that was written, once, in order, and no
//! gap, since nothing is ever deleted in them. The links break and the site starts again on the way.

use super::*;

/// A small generator of random numbers; the same seed gives the same history.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// How the log is rotated.
#[derive(Clone, Copy, Debug)]
enum Rotation {
    Shifted,
    Upwards,
    Dated,
    CopiedAndCut,
}

struct History {
    dir: Memos,
    rotation: Rotation,
    rotated: u32,
    written: String,
    lines: u32,
    reader: Reader,
    /// What the server has: the progress, and how many bytes.
    stored: Option<Progress>,
    stored_length: usize,
}

impl History {
    fn new(rotation: Rotation) -> Self {
        let dir = Memos::default();
        dir.make("log.txt", "");
        let reader = Reader::of(dir.clone());
        Self { dir, rotation, rotated: 0, written: String::new(), lines: 0, reader, stored: None, stored_length: 0 }
    }

    fn write(&mut self, chance: &mut Chance) {
        self.lines += 1;
        let length = if chance.below(5) == 0 { 6000 } else { chance.below(40) as usize };
        // Lines differ from their first bytes on, and reads are no shorter: a position within what two files have in common
        // fits both, whoever looks.
        let line = format!("{:08x} {}\n", self.lines.wrapping_mul(0x9e37_79b1), "x".repeat(length));
        self.dir.append("log.txt", &line);
        self.written.push_str(&line);
    }

    fn rotate(&mut self) {
        let number = self.rotated + 1;
        match self.rotation {
            Rotation::Shifted => shift(&self.dir, self.rotated),
            Rotation::Upwards => self.dir.rename("log.txt", &format!("log.txt.{number}")),
            Rotation::Dated => self.dir.rename("log.txt", &format!("log-202401{number:02}.txt")),
            Rotation::CopiedAndCut => {
                for number in (1..=self.rotated).rev() {
                    self.dir.rename(&format!("log.txt.{number}"), &format!("log.txt.{}", number + 1));
                }
                self.dir.copy("log.txt", "log.txt.1");
                self.dir.rewrite("log.txt", "");
            }
        }
        if !matches!(self.rotation, Rotation::CopiedAndCut) {
            self.dir.make("log.txt", "");
        }
        self.rotated = number;
    }

    /// Goes on from what the server has, and forgets what it has not.
    fn resume(&mut self) {
        let lost = self.reader.text.split_off(self.stored_length);
        let stored = self.stored.clone();
        self.reader.progress.clone_from(&stored);
        self.reader.resume(stored.as_ref());
        drop(lost);
    }

    fn step(&mut self, chance: &mut Chance) {
        match chance.below(12) {
            0..=3 => self.write(chance),
            4 if self.rotated < 20 && self.dir.has_text("log.txt") => self.rotate(),
            5 | 6 if self.reader.at.is_some() => drop(self.reader.read(9 + chance.below(50) as u32)),
            7 => drop(self.reader.drain()),
            8 => self.reader.source.refresh().unwrap(),
            9 if self.reader.progress.is_some() => {
                self.stored = self.reader.progress.clone();
                self.stored_length = self.reader.text.len();
                // The position and the acknowledgement are of the last file that bytes came from.
                if self.reader.at.is_some_and(|(_, offset)| offset > 0) {
                    self.reader.acknowledge();
                }
            }
            10 => self.resume(),
            11 if chance.below(3) == 0 => {
                let text = std::mem::take(&mut self.reader.text);
                let gaps = std::mem::take(&mut self.reader.gaps);
                self.reader = Reader::of(self.dir.clone());
                (self.reader.text, self.reader.gaps) = (text, gaps);
                self.resume();
            }
            _ => {}
        }
    }
}

#[test]
fn every_byte_arrives_once_and_in_order_whatever_happens_between() {
    for rotation in [Rotation::Shifted, Rotation::Upwards, Rotation::Dated, Rotation::CopiedAndCut] {
        for seed in 0..100 {
            let mut chance = Chance(seed);
            let mut history = History::new(rotation);
            for _ in 0..120 {
                history.step(&mut chance);
            }
            history.reader.drain();
            let arrived = String::from_utf8_lossy(&history.reader.text);
            let same = arrived.bytes().zip(history.written.bytes()).take_while(|(a, b)| a == b).count();
            assert_eq!(history.reader.gaps, [], "{rotation:?}, seed {seed}");
            assert!(
                arrived == history.written,
                "{rotation:?}, seed {seed}: of {} bytes {} arrived, and they differ from byte {same} on",
                history.written.len(),
                arrived.len()
            );
        }
    }
}
