//! The shortest schedule that still fails: for a person to read.

use std::time::Instant;

use super::schedule::{Happening, Schedule};
use super::world::{Course, run};
use crate::store::Durability;

/// Leaves out steps, puts simpler ones in their place, and shortens pauses, as long as the run fails; until this time at most.
pub(super) fn shortest(mut schedule: Schedule, course: &Course, until: Option<Instant>) -> Schedule {
    // Another failure on the way would lead away from this one.
    let kind = run(&schedule, course, false).failure.as_deref().map(kind);
    let fails = |candidate: &Schedule| {
        // What was found until then is short enough.
        if until.is_some_and(|until| Instant::now() >= until) {
            return false;
        }
        let failure = run(candidate, course, false).failure;
        failure.is_some() && failure.as_deref().map(self::kind) == kind
    };
    // Halves first, then quarters, down to single steps; again until nothing can go.
    loop {
        let before = schedule.clone();
        let mut size = schedule.steps.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < schedule.steps.len() {
                let mut candidate = schedule.clone();
                let end = candidate.steps.len().min(at + size);
                let left_out: u64 = candidate.steps.drain(at..end).map(|step| step.after).sum();
                if fails(&candidate) {
                    schedule = candidate;
                    continue;
                }
                // What follows may need the time that went by.
                if let Some(next) = candidate.steps.get_mut(at) {
                    next.after += left_out;
                    if fails(&candidate) {
                        schedule = candidate;
                        continue;
                    }
                }
                at += size;
            }
            size /= 2;
        }
        let candidate = Schedule { credit: u64::MAX, ..schedule.clone() };
        if fails(&candidate) {
            schedule = candidate;
        }
        for index in 0..schedule.steps.len() {
            for simpler in schedule.steps[index].what.simpler() {
                let mut candidate = schedule.clone();
                candidate.steps[index].what = simpler;
                if fails(&candidate) {
                    schedule = candidate;
                    break;
                }
            }
            for shorter in [0, schedule.steps[index].after / 4 * 2] {
                let mut candidate = schedule.clone();
                candidate.steps[index].after = shorter;
                if shorter < schedule.steps[index].after && fails(&candidate) {
                    schedule = candidate;
                }
            }
        }
        if schedule == before {
            return schedule;
        }
    }
}

/// What a failure begins with, without its numbers.
fn kind(failure: &str) -> String {
    failure.chars().filter(|char| !char.is_ascii_digit()).take(24).collect()
}

/// A schedule as a person reads it.
pub(super) fn words(schedule: &Schedule) -> Vec<String> {
    let durability = match schedule.durability {
        Durability::Process => "what it acknowledged outlives the process",
        Durability::Flush => "what it acknowledged outlives a loss of power",
    };
    let Schedule { text, scheme, .. } = schedule;
    let mut words = vec![format!("the log: {text}; {scheme}. The server: {durability}.")];
    if schedule.credit < u64::MAX {
        words.push(format!("The server lets {} bytes be on their way.", schedule.credit));
    }
    let step = |(after, what): (u64, Happening)| format!("  after {after} ms: {what}");
    words.extend(schedule.steps.iter().map(|it| step((it.after, it.what))));
    words
}
