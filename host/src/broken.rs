//! Switches that break the rules of exactness one by one, so that tests can show that the simulation finds each.
//!
//! Outside of this crate's unit tests there is nothing to switch: [`is_broken`] is `false` for the compiler.

/// What a switch breaks; the number is the rule's in `docs/guarantees.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// 1: a file is read to its end before its successor.
    DrainBeforeMovingOn,
    /// 2: what is sent and not acknowledged stays known.
    HoldUntilAcknowledged,
    /// 3: rotated files are read in the order in which they were written.
    OrderOfRotatedFiles,
    /// 4: a file is what its text says, whatever its inode.
    TextIsIdentity,
    /// 5: after reading it is checked that the file still is what it was.
    CheckAfterReading,
    /// 6: a copy is no file of its own.
    CopyIsNoSuccessor,
    /// 7: bytes are written at the committed length, not at the file's end.
    WriteAtCommitted,
    /// 7: bytes are written before the entry that makes them count.
    BytesBeforePosition,
    /// 8: with flushes, what is acknowledged is flushed.
    FlushBeforeAcknowledging,
    /// 9: data that no journal knows is not written to.
    OnlyItsOwnData,
    /// 10: what a full disk refused is not acknowledged.
    FullIsNotStored,
    /// 11: an end is recorded before anybody is told.
    EndIsRecorded,
    /// 13: a site that gives signs of life is not silent.
    BeatsCount,
    /// 14: a site has no more on its way than it was given credit for.
    WithinCredit,
    /// 15: of a range that comes in parts nothing is stored before its last one is there.
    RangeIsWhole,
    /// 16: what a receiver's step appended counts when the step has returned.
    StagedUntilReturned,
    /// 7 and 12: what another opening has fenced off, or is for another length, is not written. Either of both checks alone
    /// keeps the bytes right where one site sends.
    FenceAndBase,
}

#[cfg(test)]
thread_local! {
    static BROKEN: std::cell::Cell<Option<Rule>> = const { std::cell::Cell::new(None) };
}

/// Whether a test has this rule broken, on this thread.
#[cfg(test)]
pub fn is_broken(rule: Rule) -> bool {
    BROKEN.get() == Some(rule)
}

/// No rule is ever broken.
#[cfg(not(test))]
pub const fn is_broken(_rule: Rule) -> bool {
    false
}

/// Does something with a rule broken on this thread.
#[cfg(test)]
pub fn with_broken<T>(rule: Rule, act: impl FnOnce() -> T) -> T {
    BROKEN.set(Some(rule));
    let done = act();
    BROKEN.set(None);
    done
}
