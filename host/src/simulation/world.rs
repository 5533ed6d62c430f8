//! One run: a site, a server, the network between them, and the oracle that looks after each step.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::chance::Chance;
use super::credit::Credit;
use super::disk::SimulatedDisk;
use super::job::{Job, LOG};
use super::judge::Judge;
use super::lines::Lines;
use super::oracle::Oracle;
use super::policies::Policies;
use super::schedule::{Happening, Schedule};
use super::server::{Answers, Server};
use super::time::{MS, SimulatedTime};
use super::witness::Witness;
use crate::clock::Clock;
use crate::names::SiteName;
use crate::policy::{Promise, Settings};
use crate::site::backoff::Backoff;
use crate::site::driver::{Driver, Event, Terms};
use crate::source::{AnchorKey, LogSource};
use crate::store::Durability;
use crate::wire::{self, server_frame, site_frame};

const SECOND: u64 = 1_000 * MS;
const LIVENESS: u64 = 5 * SECOND;
const POLL: u64 = SECOND;
/// After so much silence a site takes its connection for dead: three liveness intervals.
const SILENCE: u64 = 3 * LIVENESS;
/// The same for a server, whose transport asks after a silent peer.
const SERVERS_SILENCE: u64 = 40 * SECOND;
/// The wall clocks jump by no more than this in all, in seconds.
const LONGEST_JUMP: i64 = 80_000;
/// Once everything works again, a stream ends within this time.
const ENDS_WITHIN: u64 = 600 * SECOND;
/// The same for a policy that is tried, after the last progress: it may wait on purpose.
const GOES_ON_WITHIN: u64 = 24 * 3_600 * SECOND;
/// So long a part of a range is at the server before what follows it: long enough for something to happen in between.
const PART: u64 = 20 * MS;
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

mod judging;
mod words;

/// One connection, in both directions.
struct Connection {
    number: u64,
    to_server: VecDeque<(u64, site_frame::Frame)>,
    to_site: VecDeque<(u64, server_frame::Frame)>,
    /// Nothing that is sent from now on arrives.
    dead: bool,
    /// When the server learns that it is gone, once all has come that was on its way.
    gone_at: Option<u64>,
    /// When a sign of the site's life came over it last.
    beat_came: Option<u64>,
}

impl Connection {
    /// Nothing goes over it any more, and the server learns of it at this time.
    fn dies(&mut self, gone_at: u64) {
        self.dead = true;
        self.gone_at.get_or_insert(gone_at);
    }

    /// Sends a frame to the server, to arrive at this time, behind those before it.
    fn send(&mut self, at: u64, frame: site_frame::Frame) {
        if self.dead {
            return;
        }
        let is_part = |frame: &_| matches!(frame, site_frame::Frame::Data(data) if data.reached.is_none());
        let after = self.to_server.back().map_or(0, |(at, before)| at + if is_part(before) { PART } else { 0 });
        self.to_server.push_back((at.max(after), frame));
    }

    /// When the server learns that it is gone.
    fn is_gone_at(&self) -> u64 {
        if self.to_server.is_empty() { self.gone_at.unwrap_or(u64::MAX) } else { u64::MAX }
    }
}

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

    fn happen(&mut self, what: Happening) -> Result<(), String> {
        *self.happened.entry(what.kind()).or_default() += 1;
        self.note(|_| format!("- {what}"));
        let now = self.time.now();
        match what {
            Happening::Job(act) => {
                self.job.act(act);
                self.note(|this| format!("    {}", this.job.listing()));
                self.files_changed();
            }
            Happening::Race(after, act) => {
                self.job.race(after, act);
                self.files_changed();
            }
            Happening::Cut(later) => {
                for connection in &mut self.connections {
                    connection.dies(now);
                    connection.to_site.clear();
                    connection.to_server.iter_mut().for_each(|(at, _)| *at += later * MS);
                    if later == 0 {
                        connection.to_server.clear();
                    }
                }
                return self.disconnect();
            }
            Happening::HalfOpen => {
                self.connections.iter_mut().for_each(|connection| connection.dies(now + SERVERS_SILENCE));
            }
            Happening::Delay(delay) => self.delay = delay,
            Happening::Unreachable(time) => {
                self.reachable_at = now + time * MS;
                for connection in &mut self.connections {
                    connection.dies(now + SERVERS_SILENCE);
                    connection.to_server.clear();
                    connection.to_site.clear();
                }
                return self.disconnect();
            }
            Happening::KillSite(time) => {
                if self.site.take().is_some() {
                    self.frames.clear();
                    self.site_at = Some(now + time * MS);
                    self.job.site_ended(self.known);
                    self.judge.ledger().site_ended();
                    // What it had sent still arrives.
                    self.connections.iter_mut().for_each(|connection| connection.dies(now));
                }
            }
            Happening::KillServer(time) => {
                if self.server.is_some() {
                    self.disk.kill();
                    return self.server_is_gone(time);
                }
            }
            Happening::KillServerInWrite(changes, time) => {
                if self.server.is_some() {
                    self.down_for = time;
                    self.disk.kill_after(changes);
                }
            }
            Happening::PowerLoss(time) => {
                self.disk.lose_power(&mut self.chance);
                self.boot = self.boot.wrapping_add(1).max(1);
                if self.schedule.durability == Durability::Process {
                    self.known = 0;
                    self.frames.clear();
                    if self.site.is_none() {
                        self.job.site_ended(0);
                    }
                    self.judge.ledger().forgive();
                    self.job.acknowledged_was_lost();
                }
                return self.server_is_gone(time);
            }
            Happening::LoseJournals(time) => {
                self.disk.kill();
                self.disk.lose(Path::new(".fedtail"));
                let left = self.log_file();
                if left.is_empty() {
                    // Of an empty log nothing is lost: the store begins anew.
                    self.disk.lose(Path::new("job"));
                } else {
                    self.orphaned.get_or_insert(left);
                }
                if self.server.is_some() {
                    return self.server_is_gone(time);
                }
            }
            Happening::Full(room) => self.disk.set_room(room),
            Happening::Room => self.disk.set_room(u64::MAX),
            Happening::ReadOnly(read_only) => self.disk.set_read_only(read_only),
            Happening::Descriptors(left) => self.job.set_descriptors(left),
            Happening::Jump(seconds) => {
                // By less than the grace for late lines, which a server measures with its wall clock.
                let before = self.jumped;
                self.jumped = (before + seconds).clamp(-LONGEST_JUMP, LONGEST_JUMP);
                self.time.shift((self.jumped - before) * SECOND as i64);
            }
            Happening::Swap => {
                self.swaps += 1;
                let assigned = self.policies.streamer(self.swaps);
                return self.site_turn(Event::Policy(Box::new(Ok(assigned))));
            }
            Happening::Stop => {
                self.job.stop();
                self.stopping = true;
                return self.site_turn(Event::Stop);
            }
        }
        Ok(())
    }

    /// Everything works from now on.
    fn heal(&mut self) -> Result<(), String> {
        self.note(|_| "everything works from now on".into());
        self.disk.set_room(u64::MAX);
        self.disk.set_read_only(false);
        self.job.set_descriptors(true);
        let now = self.time.now();
        self.server_at = self.server_at.map(|at| at.min(now));
        self.site_at = self.site_at.map(|at| at.min(now));
        self.reachable_at = 0;
        self.delay = 1;
        self.over_by = now + if self.promise.is_some() { GOES_ON_WITHIN } else { ENDS_WITHIN };
        if !self.stopping {
            self.job.stop();
            self.stopping = true;
            return self.site_turn(Event::Stop);
        }
        Ok(())
    }

    fn files_changed(&mut self) {
        let at = self.time.now() + self.chance.below(5) * MS;
        // Events get lost; the policy's poll is the net under them.
        if let Some(site) = &mut self.site
            && !self.chance.one_in(8)
        {
            site.changed_at.get_or_insert(at);
        }
    }

    fn start_server(&mut self) -> Result<(), String> {
        self.server_at = None;
        let (policies, witness) = (self.policies, &self.witness);
        match Server::start(&self.disk, &self.time, self.boot, self.schedule.durability, policies, witness) {
            Ok(server) => {
                self.note(|_| "the server is started".into());
                self.server = Some(server);
            }
            Err(error) => {
                self.note(|_| format!("the server does not start: {error}"));
                self.server_at = Some(self.time.now() + SECOND);
            }
        }
        Ok(())
    }

    fn server_is_gone(&mut self, for_ms: u64) -> Result<(), String> {
        self.note(|_| "the server is gone".into());
        self.server_died = true;
        self.count_ends();
        self.server = None;
        self.server_at = Some(self.time.now() + for_ms * MS);
        self.connections.clear();
        self.disconnect()
    }

    fn start_site(&mut self) -> Result<(), String> {
        self.site_at = None;
        self.sites += 1;
        self.note(|this| format!("the site is started, for the {}. time", this.sites));
        let instance = Bytes::from(self.sites.to_be_bytes().to_vec());
        let assigned = self.policies.streamer(self.swaps);
        let custom = assigned.custom.to_vec();
        let settings = Settings { liveness_interval: LIVENESS, poll_interval: POLL, once: false, custom };
        let terms = Terms {
            name: "job/log.txt".into(),
            stream: 1,
            job: "job".into(),
            log: LOG.into(),
            instance: instance.clone(),
            settings,
        };
        let key = AnchorKey::from_secret(b"simulated");
        let source = LogSource::new(Box::new(self.job.directory()), OsStr::new(LOG), key);
        let driver = Driver::new(terms, assigned.policy.clone(), source, Arc::new(self.time.clone()))
            .under(assigned, Arc::new(self.witness.clone()));
        let now = self.time.now();
        self.site = Some(Site {
            driver,
            connection: None,
            connect_at: now,
            backoff: Backoff::new(&instance),
            heard: now,
            beat_at: now,
            beats: 0,
            changed_at: None,
        });
        if self.stopping { self.site_turn(Event::Stop) } else { Ok(()) }
    }

    fn connect(&mut self) -> Result<(), String> {
        let now = self.time.now();
        let can = self.server.is_some() && self.reachable_at <= now;
        let Some(site) = &mut self.site else { return Ok(()) };
        if !can {
            site.connect_at = now + site.backoff.next();
            return Ok(());
        }
        site.backoff.reset();
        self.numbers += 1;
        site.connection = Some(self.numbers);
        site.heard = now;
        site.beat_at = now;
        let connection = Connection {
            number: self.numbers,
            to_server: VecDeque::new(),
            to_site: VecDeque::new(),
            dead: false,
            gone_at: None,
            beat_came: None,
        };
        self.connections.push(connection);
        self.note(|this| format!("connection {} is made", this.numbers));
        self.site_turn(Event::LinkUp)
    }

    /// The site learns that its connection is gone.
    fn disconnect(&mut self) -> Result<(), String> {
        let now = self.time.now();
        let Some(site) = &mut self.site else { return Ok(()) };
        let Some(number) = site.connection.take() else { return Ok(()) };
        self.connections.iter_mut().filter(|it| it.number == number).for_each(|connection| connection.dies(now));
        site.connect_at = now + site.backoff.next();
        self.site_turn(Event::LinkDown)
    }

    fn send(&mut self, number: u64, frame: site_frame::Frame) {
        let at = self.time.now() + self.delay * MS;
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.number == number) {
            connection.send(at, frame);
        }
    }

    /// One turn of the site, and what it sends.
    fn site_turn(&mut self, event: Event) -> Result<(), String> {
        let Some(site) = &mut self.site else { return Ok(()) };
        self.job.site_looks();
        site.driver.handle(event);
        let connection = site.connection;
        for _ in 0..STEPS_AT_ONCE {
            let Some(site) = &mut self.site else { return Ok(()) };
            while let Some(frame) = site.driver.next_frame() {
                if let site_frame::Frame::Data(data) = &frame {
                    self.judge.sent(data.base, &data.payload)?;
                    self.credit.sent(data)?;
                    let end = data.base + data.payload.len() as u64;
                    self.frames.push_back((end, self.job.looked()));
                }
                if let Some(number) = connection {
                    let words = || words::sent(&frame);
                    if let Some(trace) = &mut self.trace {
                        trace.push(format!("{:>10.3} s    site -> {}", self.time.now() as f64 / 1e9, words()));
                    }
                    let at = self.time.now() + self.delay * MS;
                    if let Some(to) = self.connections.iter_mut().find(|connection| connection.number == number) {
                        to.send(at, frame);
                    }
                }
            }
            if !site.driver.can_go_on() {
                self.job.site_looked();
                return Ok(());
            }
            site.driver.go_on();
        }
        Err("it asks for the window again and again, and sends nothing".into())
    }

    fn site_takes(&mut self, number: u64, frame: server_frame::Frame) -> Result<(), String> {
        let now = self.time.now();
        let Some(site) = self.site.as_mut().filter(|site| site.connection == Some(number)) else { return Ok(()) };
        site.heard = now;
        if matches!(frame, server_frame::Frame::Beat(_)) {
            return Ok(());
        }
        self.credit.told(&frame);
        self.note(|_| format!("  server -> {}", words::answered(&frame)));
        if matches!(frame, server_frame::Frame::Opened(_)) {
            self.job.site_resumes();
            self.frames.clear();
        }
        self.site_turn(Event::Frame(frame))
    }

    fn server_takes(&mut self, number: u64, frames: Vec<site_frame::Frame>) -> Result<(), String> {
        let site = SiteName::new("site").map_err(|error| error.to_string())?;
        let Some(server) = &mut self.server else { return Ok(()) };
        if frames.iter().any(|frame| matches!(frame, site_frame::Frame::Beat(_))) {
            let now = self.time.now();
            self.connections.iter_mut().filter(|it| it.number == number).for_each(|it| it.beat_came = Some(now));
        }
        let answers = server.take(number, &site, frames);
        self.answer(answers)
    }

    /// Sends what the server answered, unless it was killed before it could.
    fn answer(&mut self, answers: Answers) -> Result<(), String> {
        if self.server.as_ref().is_some_and(Server::was_killed) {
            let for_ms = self.down_for;
            return self.server_is_gone(for_ms);
        }
        let stored = self.server.as_ref().and_then(Server::state).map_or(0, |state| state.stored);
        let at = self.time.now() + self.delay * MS;
        for (number, mut frame) in answers {
            match &mut frame {
                server_frame::Frame::Opened(opened) => opened.credit = opened.credit.min(self.schedule.credit),
                server_frame::Frame::Ack(ack) => ack.credit = ack.credit.min(self.schedule.credit),
                _ => {}
            }
            self.judge_answer(number, &frame)?;
            if matches!(frame, server_frame::Frame::Ack(_) | server_frame::Frame::Closed(_)) {
                self.judge.ledger().acknowledged(stored);
            }
            let connection = self.connections.iter_mut().find(|connection| connection.number == number);
            if let Some(connection) = connection.filter(|connection| !connection.dead) {
                let after = connection.to_site.back().map_or(0, |(at, _)| *at);
                connection.to_site.push_back((at.max(after), frame));
            }
        }
        Ok(())
    }
}
