//! What is to happen in one run: made from a seed, and short enough for a person to read.

use std::fmt;

use super::act::{Act, Scheme, Text};
use super::chance::Chance;
use crate::store::Durability;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    /// The job does something.
    Job(Act),
    /// The job does something in the middle of the site's next look, after so many operations on files.
    Race(u64, Act),
    /// The connection breaks. What the site had sent still comes, so many milliseconds later: also after a new one is there.
    Cut(u64),
    /// The connection carries nothing any more, and nobody is told.
    HalfOpen,
    /// Frames take so many milliseconds from now on.
    Delay(u64),
    /// For so many milliseconds no connection can be made, and the one there is breaks.
    Unreachable(u64),
    /// The site's process is killed, and started again after so many milliseconds.
    KillSite(u64),
    /// The same for the server.
    KillServer(u64),
    /// The server is killed in the middle of a write, after so many more; and started again after so many milliseconds.
    KillServerInWrite(u64, u64),
    /// The server's machine loses its power, for so many milliseconds.
    PowerLoss(u64),
    /// The server is killed, and started again after so many milliseconds, without the journals of its logs.
    LoseJournals(u64),
    /// So many bytes are left on the server's disk.
    Full(u64),
    /// There is room again.
    Room,
    /// The store can't be written to; or it can again.
    ReadOnly(bool),
    /// The site can't open more files; or it can again.
    Descriptors(bool),
    /// The wall clocks jump, by so many seconds.
    Jump(i64),
    /// The site's policy is swapped.
    Swap,
    /// The job says that it is over. It writes nothing more.
    Stop,
}

impl Happening {
    /// What is easier to understand and may do as well, the easiest first. None leads back to what it came from.
    pub fn simpler(self) -> Vec<Self> {
        const WRITE: Happening = Happening::Job(Act::Write(200));
        const WRITE_LITTLE: Happening = Happening::Job(Act::Write(50));
        match self {
            WRITE => Vec::new(),
            WRITE_LITTLE => vec![WRITE],
            Self::Job(Act::Write(_) | Act::Rotate) => vec![WRITE, WRITE_LITTLE],
            Self::Job(act) => vec![WRITE, WRITE_LITTLE].into_iter().chain(act.simpler().map(Self::Job)).collect(),
            Self::Race(_, act) => vec![Self::Job(act)],
            Self::Cut(0) => Vec::new(),
            Self::Cut(_) | Self::HalfOpen | Self::Unreachable(_) => vec![Self::Cut(0)],
            Self::KillServerInWrite(_, time) | Self::PowerLoss(time) => vec![Self::KillServer(time)],
            _ => Vec::new(),
        }
    }

    /// How reports count it.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Job(act) => act.kind(),
            Self::Race(..) => "acts of the job in the middle of a look",
            Self::Cut(_) => "connections cut",
            Self::HalfOpen => "connections half-open",
            Self::Delay(_) => "changes of the link's delay",
            Self::Unreachable(_) => "times without a way to the server",
            Self::KillSite(_) => "kills of the site",
            Self::KillServer(_) => "kills of the server",
            Self::KillServerInWrite(..) => "kills of the server in a write",
            Self::PowerLoss(_) => "losses of power",
            Self::LoseJournals(_) => "losses of the journals",
            Self::Full(_) => "full disks",
            Self::Room => "disks with room again",
            Self::ReadOnly(_) => "changes of a store to read-only or back",
            Self::Descriptors(_) => "changes of the limit of open files",
            Self::Jump(_) => "jumps of the wall clock",
            Self::Swap => "swaps of the policy",
            Self::Stop => "ends of the job",
        }
    }
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Job(act) => write!(f, "the job {act}"),
            Self::Race(after, act) => {
                write!(f, "in the middle of the site's next look, after {after} operations on files, the job {act}")
            }
            Self::Cut(0) => f.write_str("the connection breaks, and what was on its way is lost"),
            Self::Cut(later) => {
                write!(f, "the connection breaks, and what was on its way arrives {later} ms late")
            }
            Self::HalfOpen => f.write_str("the connection carries nothing any more, and nobody is told"),
            Self::Delay(delay) => write!(f, "from now on the connection takes {delay} ms"),
            Self::Unreachable(time) => {
                write!(f, "the connection breaks, and for {time} ms no other can be made")
            }
            Self::KillSite(time) => write!(f, "the site's process is killed, and started again {time} ms later"),
            Self::KillServer(time) => write!(f, "the server is killed, and started again {time} ms later"),
            Self::KillServerInWrite(changes, time) => write!(
                f,
                "the server will be killed in the middle of a write, after {changes} whole ones, and started again {time} \
                 ms later"
            ),
            Self::PowerLoss(time) => write!(f, "the server's machine loses its power for {time} ms"),
            Self::LoseJournals(time) => {
                write!(f, "the server is killed, loses the journals of its logs, and is started again {time} ms later")
            }
            Self::Full(room) => write!(f, "{room} bytes are left on the server's disk"),
            Self::Room => f.write_str("there is room on the server's disk"),
            Self::ReadOnly(true) => f.write_str("the server's disk becomes read-only"),
            Self::ReadOnly(false) => f.write_str("the server's disk can be written to"),
            Self::Descriptors(false) => f.write_str("the site can open no more files"),
            Self::Descriptors(true) => f.write_str("the site can open files"),
            Self::Jump(seconds) => write!(f, "the wall clocks jump by {seconds} s"),
            Self::Swap => f.write_str("the site's policy is replaced by the same one"),
            Self::Stop => f.write_str("the job is over"),
        }
    }
}

/// One step: after so many milliseconds, this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub after: u64,
    pub what: Happening,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Schedule {
    pub seed: u64,
    pub scheme: Scheme,
    pub text: Text,
    pub durability: Durability,
    /// Whether the source may lose text.
    pub destroys: bool,
    /// The most bytes that the server lets be on their way, if that is less than it would allow by itself.
    pub credit: u64,
    pub steps: Vec<Step>,
}

/// Kinds of faults, of which a run has some and not others: so each is also seen alone, and with each other one.
const CLASSES: u64 = 12;

impl Schedule {
    /// For the built-in policies: all that can happen.
    pub fn of(seed: u64) -> Self {
        Self::made(seed, None)
    }

    /// For a policy that is tried: over text that it may look at. `destroys`: whether the source may lose some of it.
    pub fn for_policy(seed: u64, destroys: bool) -> Self {
        Self::made(seed, Some(destroys))
    }

    fn made(seed: u64, for_policy: Option<bool>) -> Self {
        let mut chance = Chance::new(seed);
        let scheme = match chance.below(4) {
            0 => Scheme::Upwards,
            1 => Scheme::Dated,
            _ => Scheme::Shifting(chance.between(1, 4)),
        };
        let durability = if chance.one_in(2) { Durability::Flush } else { Durability::Process };
        let classes = chance.next() & chance.next() | 1 << chance.below(CLASSES) | 1 << chance.below(2);
        let has = |class: u64| classes & (1 << class) != 0;
        // Where the source destroys text, equal text can't be told apart by anybody.
        let text = match chance.below(6) {
            // A rotated file that is the beginning of the live one can't be told from a copy of it.
            0 if !has(0) && !has(1) => Text::Equal,
            1 if !has(1) => Text::OneLine,
            2 if !has(1) => Text::Binary,
            _ => Text::Lines,
        };
        let (text, destroys) = match for_policy {
            None => (text, text == Text::Lines),
            Some(destroys) => (Text::Records, destroys),
        };
        let scheme = match scheme {
            Scheme::Shifting(_) if !destroys => Scheme::Shifting(1_000),
            other => other,
        };
        let terms = Terms { destroys, dated: scheme == Scheme::Dated, durability };
        let length = chance.between(4, 40);
        let mut steps = Vec::new();
        for _ in 0..length {
            let after = match chance.below(8) {
                0 | 1 => 0,
                2..6 => chance.below(40),
                6 => chance.below(3_000),
                _ => {
                    let longest = if chance.one_in(10) { 60_000 } else { 10_000 };
                    chance.below(longest)
                }
            };
            let what = happening(&mut chance, &has, &terms);
            steps.push(Step { after, what });
        }
        steps.push(Step { after: chance.below(500), what: Happening::Stop });
        for _ in 0..chance.below(4) {
            if let Some(what) = fault(&mut chance, &has, &terms) {
                steps.push(Step { after: chance.below(300), what });
            }
        }
        let mut schedule = Self { seed, scheme, text, durability, destroys, credit: u64::MAX, steps };
        if for_policy.is_none() {
            schedule.add();
        }
        schedule
    }

    /// Adds what few runs have, by chances of its own, so that nothing else changes by it: journals that are lost, which
    /// ends the stream, and a server with many streams.
    fn add(&mut self) {
        let mut chance = Chance::new(self.seed ^ 0x4a4f);
        if chance.one_in(32) {
            let at = chance.below(self.steps.len() as u64 + 1) as usize;
            let lost = Happening::LoseJournals(chance.below(2_000));
            self.steps.insert(at, Step { after: chance.below(40), what: lost });
        }
        if chance.one_in(16) {
            self.credit = chance.between(200, 4_000);
        }
    }

    /// No fault, and a job that is over.
    pub fn nothing() -> Self {
        let (scheme, text, durability) = (Scheme::Upwards, Text::Lines, Durability::Flush);
        Self { seed: 0, scheme, text, durability, destroys: false, credit: u64::MAX, steps: Vec::new() }
    }
}

/// What the faults of a run depend on.
struct Terms {
    /// Whether the source loses text.
    destroys: bool,
    dated: bool,
    durability: Durability,
}

fn happening(chance: &mut Chance, has: &impl Fn(u64) -> bool, terms: &Terms) -> Happening {
    if chance.one_in(3)
        && let Some(fault) = fault(chance, has, terms)
    {
        return fault;
    }
    let act = act(chance, has, terms.destroys);
    if has(2) && chance.one_in(4) { Happening::Race(chance.below(30), act) } else { Happening::Job(act) }
}

fn size(chance: &mut Chance) -> u64 {
    match chance.below(8) {
        0 => chance.between(1, 20),
        1 => chance.between(3_000, 12_000),
        _ => chance.between(20, 600),
    }
}

/// A job rotates in one way; what two ways at once do to each other between two looks nobody promises.
fn act(chance: &mut Chance, has: &impl Fn(u64) -> bool, destroys: bool) -> Act {
    let renames = has(0);
    let copies = !renames && has(1) && has(11);
    let cuts = destroys && !renames && has(1) && !has(11);
    match chance.below(8) {
        0 if renames => Act::Rotate,
        1 if renames => Act::WriteAndRotate(size(chance)),
        2 if renames && destroys => match chance.below(4) {
            0 => Act::Compress,
            1 => Act::Delete,
            _ => Act::Rotate,
        },
        3 if renames && destroys && has(1) => Act::Replace(size(chance)),
        0 if copies => Act::CopyAndCut(0),
        1 if copies && destroys => Act::CopyAndCut(size(chance)),
        2 if copies => Act::BeginCopy,
        3 if copies => Act::FinishCopy,
        0 if cuts => Act::CutAndGrow,
        1 if cuts => Act::Cut(size(chance)),
        _ => Act::Write(size(chance)),
    }
}

fn fault(chance: &mut Chance, has: &impl Fn(u64) -> bool, terms: &Terms) -> Option<Happening> {
    let class = chance.between(3, 10);
    if !has(class) {
        return None;
    }
    let down = if chance.one_in(5) { chance.below(50_000) } else { chance.below(2_000) };
    Some(match class {
        3 => match chance.below(4) {
            0 | 1 => Happening::Cut(if chance.one_in(2) { 0 } else { chance.below(3_000) }),
            2 => Happening::HalfOpen,
            _ => Happening::Unreachable(down),
        },
        4 => Happening::Delay(chance.below(400)),
        5 => Happening::KillSite(down),
        6 => Happening::KillServer(down),
        7 => Happening::KillServerInWrite(chance.below(12), down),
        // Without flushes a store may lose what it acknowledged; where the source has lost or moved it too, nothing is promised.
        8 if terms.durability == Durability::Process && (terms.destroys || has(1)) => Happening::KillServer(down),
        8 => Happening::PowerLoss(down),
        9 => match chance.below(6) {
            0 | 1 => Happening::Full(chance.below(3_000)),
            2 | 3 => Happening::Room,
            4 => Happening::ReadOnly(chance.one_in(2)),
            // A file that can't be opened before it is gone is lost.
            _ if terms.destroys || has(1) => Happening::Room,
            _ => Happening::Descriptors(chance.one_in(2)),
        },
        _ => match chance.below(2) {
            // Times are what tells which way numbers run, for who never saw a rotation: they must not run backwards.
            0 if terms.dated => Happening::Jump(chance.below(200_000) as i64 - 100_000),
            0 => Happening::Jump(chance.below(100_000) as i64),
            _ => Happening::Swap,
        },
    })
}
