//! The connections between the site and the server, and what goes over them.

use std::collections::VecDeque;

use super::super::server::{Answers, Server};
use super::super::time::MS;
use super::{World, words};
use crate::clock::Clock;
use crate::names::SiteName;
use crate::site::driver::Event;
use crate::wire::{server_frame, site_frame};

/// So long a part of a range is at the server before what follows it: long enough for something to happen in between.
const PART: u64 = 20 * MS;

/// One connection, in both directions.
pub(super) struct Connection {
    pub number: u64,
    pub to_server: VecDeque<(u64, site_frame::Frame)>,
    pub to_site: VecDeque<(u64, server_frame::Frame)>,
    /// Nothing that is sent from now on arrives.
    pub dead: bool,
    /// When the server learns that it is gone, once all has come that was on its way.
    pub gone_at: Option<u64>,
    /// When a sign of the site's life came over it last.
    pub beat_came: Option<u64>,
}

impl Connection {
    /// Nothing goes over it any more, and the server learns of it at this time.
    pub fn dies(&mut self, gone_at: u64) {
        self.dead = true;
        self.gone_at.get_or_insert(gone_at);
    }

    /// Sends a frame to the server, to arrive at this time, behind those before it.
    pub fn send(&mut self, at: u64, frame: site_frame::Frame) {
        if self.dead {
            return;
        }
        let is_part = |frame: &_| matches!(frame, site_frame::Frame::Data(data) if data.reached.is_none());
        let after = self.to_server.back().map_or(0, |(at, before)| at + if is_part(before) { PART } else { 0 });
        self.to_server.push_back((at.max(after), frame));
    }

    /// When the server learns that it is gone.
    pub fn is_gone_at(&self) -> u64 {
        if self.to_server.is_empty() { self.gone_at.unwrap_or(u64::MAX) } else { u64::MAX }
    }
}

impl World<'_> {
    pub(super) fn connect(&mut self) -> Result<(), String> {
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
    pub(super) fn disconnect(&mut self) -> Result<(), String> {
        let now = self.time.now();
        let Some(site) = &mut self.site else { return Ok(()) };
        let Some(number) = site.connection.take() else { return Ok(()) };
        self.connections.iter_mut().filter(|it| it.number == number).for_each(|connection| connection.dies(now));
        site.connect_at = now + site.backoff.next();
        self.site_turn(Event::LinkDown)
    }

    pub(super) fn send(&mut self, number: u64, frame: site_frame::Frame) {
        let at = self.time.now() + self.delay * MS;
        if let Some(connection) = self.connections.iter_mut().find(|connection| connection.number == number) {
            connection.send(at, frame);
        }
    }

    pub(super) fn site_takes(&mut self, number: u64, frame: server_frame::Frame) -> Result<(), String> {
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

    pub(super) fn server_takes(&mut self, number: u64, frames: Vec<site_frame::Frame>) -> Result<(), String> {
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
    pub(super) fn answer(&mut self, answers: Answers) -> Result<(), String> {
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
