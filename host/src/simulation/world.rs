//! One run: a site, a server, the network between them, and the oracle that looks after each step.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use self::network::Connection;
use super::chance::Chance;
use super::credit::Credit;
use super::disk::SimulatedDisk;
use super::job::Job;
use super::judge::Judge;
use super::lines::Lines;
use super::oracle::Oracle;
use super::policies::Policies;
use super::schedule::Schedule;
use super::server::Server;
use super::time::{MS, SimulatedTime};
use super::witness::Witness;
use crate::clock::Clock;
use crate::policy::Promise;
use crate::site::backoff::Backoff;
use crate::site::driver::{Driver, Event};
use crate::wire::{self, site_frame};

const SECOND: u64 = 1_000 * MS;
const LIVENESS: u64 = 5 * SECOND;
const POLL: u64 = SECOND;
/// After so much silence a site takes its connection for dead: three liveness intervals.
const SILENCE: u64 = 3 * LIVENESS;
/// Once everything works again, a stream ends within this time.
const ENDS_WITHIN: u64 = 600 * SECOND;
/// The same for a policy that is tried, after the last progress: it may wait on purpose.
const GOES_ON_WITHIN: u64 = 24 * 3_600 * SECOND;
/// More steps than this is a loop without an end.
const STEPS: u64 = 200_000;
/// So many of them at one moment, too.
const STEPS_AT_ONCE: u32 = 10_000;

/// What runs have in common: policies, and what they are held to.
pub(super) struct Course {
    pub policies: Policies,
    /// What the policy promises that is tried; none: nothing is changed, and all is held to.
    pub promise: Option<Promise>,
    /// So many bytes it was seen to take of one log: beyond them it may refuse more.
    pub takes: u64,
    /// Whether a policy may fail, as long as the hosts make up for it.
    pub forgives: bool,
}

impl Course {
    /// What is to happen in a run.
    pub fn schedule(&self, seed: u64) -> Schedule {
        match self.promise {
            None => Schedule::of(seed),
            // The oracle knows which bytes may be missing of what is not changed.
            Some(Promise::Forwards) => Schedule::for_policy(seed, true),
            Some(Promise::Limits) => Schedule::for_policy(seed, false),
            // Where text is destroyed, what leaves hangs on where: half of the runs can be judged by it.
            Some(Promise::Filters | Promise::Other) => Schedule::for_policy(seed, seed % 2 == 1),
        }
    }
}

mod faults;
mod hosts;
mod judging;
mod network;
mod words;

/// The site's process.
struct Site {
    driver: Driver,
    connection: Option<u64>,
    connect_at: u64,
    backoff: Backoff,
    heard: u64,
    beat_at: u64,
    beats: u64,
    changed_at: Option<u64>,
}

/// What a run came to.
pub(super) struct Ran {
    /// Simulated nanoseconds.
    pub time: u64,
    /// What happened, by its kind.
    pub happened: BTreeMap<&'static str, u64>,
    /// What was wrong, in words.
    pub failure: Option<String>,
    /// What happened when, in words, where it was asked for.
    pub trace: Vec<String>,
    /// Whether it came to an end in the time that it was given.
    pub finished: bool,
    /// What the server had in the end.
    stored: Vec<u8>,
    /// How the stream ended, where the server's policy ended it.
    refused: Option<String>,
}

pub(super) struct World<'a> {
    schedule: &'a Schedule,
    policies: &'a Policies,
    promise: Option<Promise>,
    takes: u64,
    /// What a policy makes of the job's text without any fault is what is asked for: it is not judged.
    is_reference: bool,
    /// When to leave it unfinished.
    until: Option<Instant>,
    witness: Witness,
    stored: Vec<u8>,
    refused: Option<String>,
    /// Once everything works: when the stream has to be over.
    over_by: u64,
    /// What the server had when it was judged last.
    progress: Option<wire::Progress>,
    time: SimulatedTime,
    job: Job,
    disk: SimulatedDisk,
    boot: u8,
    /// What the log's file had when its journal was lost: so it stays, and the stream is refused.
    orphaned: Option<Vec<u8>>,
    server: Option<Server>,
    server_at: Option<u64>,
    server_died: bool,
    down_for: u64,
    site: Option<Site>,
    site_at: Option<u64>,
    sites: u64,
    swaps: usize,
    stopping: bool,
    /// In seconds.
    jumped: i64,
    connections: Vec<Connection>,
    numbers: u64,
    delay: u64,
    reachable_at: u64,
    judge: Judge,
    credit: Credit,
    chance: Chance,
    ends: u64,
    /// For each frame, up to where it brings the stream, and what the site knew when it made it.
    frames: VecDeque<(u64, u32)>,
    /// What the site knew when it made the last frame that is stored.
    known: u32,
    happened: BTreeMap<&'static str, u64>,
    trace: Option<Vec<String>>,
}

/// Runs a schedule to its end.
pub(super) fn run(schedule: &Schedule, course: &Course, traced: bool) -> Ran {
    run_until(schedule, course, traced, None)
}

/// Runs a schedule to its end, or until this time.
pub(super) fn run_until(schedule: &Schedule, course: &Course, traced: bool, until: Option<Instant>) -> Ran {
    let time = SimulatedTime::default();
    time.reach(SECOND);
    let job = Job::new(time.clone(), schedule.scheme, schedule.text);
    let judge = match course.promise {
        None | Some(Promise::Forwards) => Judge::Bytes(Oracle::new()),
        Some(promise) => Judge::Lines(Lines::new(promise, course.policies.tried(), schedule.destroys)),
    };
    let world = world(schedule, &course.policies, course.promise, time, job, judge, traced);
    World { until, takes: course.takes, witness: Witness::new(course.forgives), ..world }.run()
}

/// What policies make of a text that is there at once, without any fault.
pub(super) struct Reference {
    pub stored: Vec<u8>,
    /// The words of a policy that ended the stream by itself.
    pub refused: Option<String>,
}

/// What policies make of a text without any fault; none where that is not known at this time. An error says how they fail
/// at it.
pub(super) fn reference(policies: &Policies, text: &[u8], until: Option<Instant>) -> Result<Option<Reference>, String> {
    let time = SimulatedTime::default();
    time.reach(SECOND);
    let schedule = Schedule::nothing();
    let job = Job::over(time.clone(), text);
    let promise = Some(Promise::Other);
    let judge = Judge::Lines(Lines::new(Promise::Other, policies.tried(), false));
    let world = World { is_reference: true, until, ..world(&schedule, policies, promise, time, job, judge, false) };
    let ran = world.run();
    match ran.failure {
        Some(failure) => Err(failure),
        None => Ok(ran.finished.then_some(Reference { stored: ran.stored, refused: ran.refused })),
    }
}

/// A world before anything has happened in it.
fn world<'a>(
    schedule: &'a Schedule,
    policies: &'a Policies,
    promise: Option<Promise>,
    time: SimulatedTime,
    job: Job,
    judge: Judge,
    traced: bool,
) -> World<'a> {
    World {
        schedule,
        policies,
        promise,
        takes: 0,
        is_reference: false,
        until: None,
        witness: Witness::default(),
        stored: Vec::new(),
        refused: None,
        over_by: u64::MAX,
        progress: None,
        job,
        disk: SimulatedDisk::new(time.clone()),
        time,
        boot: 1,
        orphaned: None,
        server: None,
        server_at: Some(0),
        server_died: false,
        down_for: 0,
        site: None,
        site_at: Some(0),
        sites: 0,
        swaps: 0,
        stopping: false,
        jumped: 0,
        connections: Vec::new(),
        numbers: 0,
        delay: 1,
        reachable_at: 0,
        judge,
        credit: Credit::default(),
        chance: Chance::new(schedule.seed ^ 0x5151),
        ends: 0,
        frames: VecDeque::new(),
        known: 0,
        happened: BTreeMap::new(),
        trace: traced.then(Vec::new),
    }
}

impl World<'_> {
    /// What the hosts and the policies say meanwhile is about no real log, and is not shown.
    fn run(self) -> Ran {
        tracing::subscriber::with_default(tracing::subscriber::NoSubscriber::default(), || self.run_unheard())
    }

    fn run_unheard(mut self) -> Ran {
        let (finished, failure) = match self.run_to_the_end() {
            Ok(finished) => (finished, None),
            Err(failure) => (true, Some(failure)),
        };
        if let Some(failure) = &failure {
            self.note(|_| format!("WRONG: {failure}"));
        }
        Ran {
            time: self.time.now() - SECOND,
            happened: self.happened,
            failure,
            trace: self.trace.unwrap_or_default(),
            finished,
            stored: self.stored,
            refused: self.refused,
        }
    }

    fn note(&mut self, words: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>10.3} s  {}", self.time.now() as f64 / 1e9, words(self));
            self.trace.iter_mut().for_each(|trace| trace.push(line.clone()));
        }
    }

    /// Returns whether it came to the end in its time.
    fn run_to_the_end(&mut self) -> Result<bool, String> {
        let mut steps = self.schedule.steps.iter();
        let mut next = steps.next();
        let mut next_at = self.time.now() + next.map_or(0, |step| step.after * MS);
        if next.is_none() {
            self.heal()?;
        }
        let (mut moment, mut at_once) = (0, 0);
        for _ in 0..STEPS {
            if self.until.is_some_and(|until| Instant::now() >= until) {
                return Ok(false);
            }
            let at = self.next_event();
            match next {
                Some(step) if next_at <= at => {
                    self.time.reach(next_at.max(self.time.now()));
                    self.happen(step.what)?;
                    next = steps.next();
                    next_at = self.time.now() + next.map_or(0, |step| step.after * MS);
                    if next.is_none() {
                        self.heal()?;
                    }
                }
                _ if at > self.over_by => return Err(self.never_ends()),
                _ => {
                    self.time.reach(at.max(self.time.now()));
                    self.event()?;
                }
            }
            self.judge()?;
            if self.site.as_ref().is_some_and(|site| site.driver.outcome().is_some()) {
                // What is left of the schedule can't matter: faults after the end of a stream are another stream's.
                self.over()?;
                return Ok(true);
            }
            at_once = if self.time.now() == moment { at_once + 1 } else { 0 };
            moment = self.time.now();
            if at_once > STEPS_AT_ONCE {
                return Err(format!("it wants to be woken again at once, {STEPS_AT_ONCE} times at one moment"));
            }
        }
        Err(format!("more than {STEPS} steps, and no end"))
    }

    fn never_ends(&mut self) -> String {
        let waits = self.site.as_mut().map(|site| site.driver.waiting_for()).unwrap_or_default();
        if self.promise.is_some() {
            let hours = GOES_ON_WITHIN / SECOND / 3_600;
            return format!("nothing went on for {hours} simulated hours after everything worked again ({waits})");
        }
        let seconds = ENDS_WITHIN / SECOND;
        format!("the stream did not end within {seconds} simulated seconds after everything worked again ({waits})")
    }

    /// When the next thing happens by itself.
    fn next_event(&mut self) -> u64 {
        let mut at = u64::MAX;
        for connection in &self.connections {
            at = at.min(connection.to_server.front().map_or(u64::MAX, |(at, _)| *at));
            at = at.min(connection.to_site.front().map_or(u64::MAX, |(at, _)| *at));
            at = at.min(connection.is_gone_at());
        }
        if let Some(site) = &self.site {
            at = at.min(site.driver.wake_at().unwrap_or(u64::MAX)).min(site.changed_at.unwrap_or(u64::MAX));
            at = at.min(match site.connection {
                Some(_) => site.beat_at.min(site.heard + SILENCE),
                None => site.connect_at,
            });
        }
        let server = self.server.as_ref().map_or(u64::MAX, Server::wake_at);
        at.min(server).min(self.server_at.unwrap_or(u64::MAX)).min(self.site_at.unwrap_or(u64::MAX))
    }

    fn event(&mut self) -> Result<(), String> {
        let now = self.time.now();
        if self.server_at.is_some_and(|at| at <= now) {
            return self.start_server();
        }
        if self.site_at.is_some_and(|at| at <= now) {
            return self.start_site();
        }
        for index in 0..self.connections.len() {
            let connection = &mut self.connections[index];
            let due = |at: u64| at <= now;
            let mut frames = Vec::new();
            while connection.to_server.front().is_some_and(|(at, _)| due(*at)) {
                frames.extend(connection.to_server.pop_front().map(|(_, frame)| frame));
            }
            if !frames.is_empty() {
                let number = connection.number;
                return self.server_takes(number, frames);
            }
            if connection.to_site.front().is_some_and(|(at, _)| due(*at))
                && let Some((_, frame)) = connection.to_site.pop_front()
            {
                let number = connection.number;
                return self.site_takes(number, frame);
            }
            if connection.is_gone_at() <= now {
                let gone = self.connections.remove(index);
                self.note(|_| format!("the server learns that connection {} is gone", gone.number));
                self.server.iter_mut().for_each(|server| server.gone(gone.number));
                return Ok(());
            }
        }
        if self.server.as_ref().is_some_and(|server| server.wake_at() <= now) {
            let answers = self.server.as_mut().map(Server::tick).unwrap_or_default();
            return self.answer(answers);
        }
        let Some(site) = &mut self.site else { return Ok(()) };
        if site.changed_at.is_some_and(|at| at <= now) {
            site.changed_at = None;
            return self.site_turn(Event::Changed);
        }
        if site.driver.wake_at().is_some_and(|at| at <= now) {
            return self.site_turn(Event::Timer);
        }
        match site.connection {
            Some(_) if site.heard + SILENCE <= now => {
                self.note(|_| "the site takes its connection for dead".into());
                self.disconnect()
            }
            Some(number) if site.beat_at <= now => {
                site.beat_at = now + LIVENESS;
                site.beats += 1;
                let beat = wire::Beat { number: site.beats };
                self.send(number, site_frame::Frame::Beat(beat));
                Ok(())
            }
            None if site.connect_at <= now => self.connect(),
            _ => Ok(()),
        }
    }
}
