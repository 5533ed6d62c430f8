//! The processes of the site and the server: how they start, take a turn, and are gone.

use std::ffi::OsStr;
use std::sync::Arc;

use bytes::Bytes;

use super::super::job::LOG;
use super::super::server::Server;
use super::super::time::MS;
use super::{LIVENESS, POLL, SECOND, STEPS_AT_ONCE, Site, World, words};
use crate::clock::Clock;
use crate::policy::Settings;
use crate::site::backoff::Backoff;
use crate::site::driver::{Driver, Event, Terms};
use crate::source::{AnchorKey, LogSource};
use crate::wire::site_frame;

impl World<'_> {
    pub(super) fn start_server(&mut self) -> Result<(), String> {
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

    pub(super) fn server_is_gone(&mut self, for_ms: u64) -> Result<(), String> {
        self.note(|_| "the server is gone".into());
        self.server_died = true;
        self.count_ends();
        self.server = None;
        self.server_at = Some(self.time.now() + for_ms * MS);
        self.connections.clear();
        self.disconnect()
    }

    pub(super) fn start_site(&mut self) -> Result<(), String> {
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

    /// One turn of the site, and what it sends.
    pub(super) fn site_turn(&mut self, event: Event) -> Result<(), String> {
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
}
