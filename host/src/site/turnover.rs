//! When a stream goes over to another policy: few at a time, so that each is ready at once.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::core::Core;
use super::driver::{Driver, Event};
use super::guardian::SitePolicy;
use crate::policy::StreamerPolicy;
use crate::policy::set::Assignment;

/// Streams that go over at the same time. A thousand at once would all wait for each other with their old policies set
/// aside; a few at a time keep the processors as busy, and each is done in its turn.
const AT_ONCE: usize = 4;
/// A stream waits so long for a moment when nothing of it is on the way, in which it goes over at once. One that is written to
/// all the time has none, and has to stand still until what it has sent is stored: so long at most, since the server may not be
/// able to, and others wait.
const LONGEST_TURN: Duration = Duration::from_secs(1);

/// The turns of a site.
#[derive(Clone)]
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// One stream's part.
pub struct Turnover {
    job: String,
    log: String,
    assignments: watch::Receiver<Arc<Assignment<StreamerPolicy<Core>>>>,
    turns: Turns,
    wanted: Option<Result<SitePolicy, String>>,
    /// The stream's place in the queue, which it keeps whatever else it does meanwhile.
    place: Option<Pin<Box<dyn Future<Output = Option<OwnedSemaphorePermit>> + Send>>>,
    turn: Option<(OwnedSemaphorePermit, Instant)>,
    /// Whether nothing of the stream is on its way.
    quiet: bool,
}

impl Turnover {
    /// For a stream of this log, which is under the assignment that `assignments` has seen last.
    pub fn new(
        job: String,
        log: String,
        assignments: watch::Receiver<Arc<Assignment<StreamerPolicy<Core>>>>,
        turns: Turns,
    ) -> Self {
        Self { job, log, assignments, turns, wanted: None, place: None, turn: None, quiet: true }
    }

    /// Looks at how the stream stands after each step, and gives the turn back once it has gone over.
    pub fn look(&mut self, driver: &mut Driver) {
        self.quiet = driver.is_quiet();
        let over = !driver.is_swapping() || self.turn.as_ref().is_some_and(|(_, until)| *until <= Instant::now());
        if self.wanted.is_none() && over {
            self.turn = None;
        }
    }

    /// Waits for another policy, for the turn to go over to it, and for a good moment. Can be dropped and called again at any
    /// time.
    pub async fn next(&mut self) -> Event {
        loop {
            // That nothing more may leave has no time to wait.
            let waits = matches!(self.wanted, Some(Ok(_)));
            if waits && self.turn.is_none() {
                let turns = self.turns.0.clone();
                let place = self.place.get_or_insert_with(|| Box::pin(async { turns.acquire_owned().await.ok() }));
                tokio::select! {
                    turn = place => {
                        self.place = None;
                        self.turn = turn.map(|turn| (turn, Instant::now() + LONGEST_TURN));
                    }
                    () = change(&mut self.assignments) => self.want(),
                }
                continue;
            }
            let until = self.turn.as_ref().map(|(_, until)| *until);
            let has_waited = self.quiet || until.is_none_or(|until| until <= Instant::now());
            if self.wanted.is_some() && (!waits || has_waited) {
                if let Some((_, until)) = &mut self.turn {
                    *until = Instant::now() + LONGEST_TURN;
                }
                self.place = None;
                if let Some(wanted) = self.wanted.take() {
                    return Event::Policy(Box::new(wanted));
                }
            }
            let turn_over = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = change(&mut self.assignments) => self.want(),
                // Whoever still waits for a good moment takes this one.
                () = turn_over => if self.wanted.is_none() { self.turn = None },
            }
        }
    }

    fn want(&mut self) {
        let assigned = self.assignments.borrow_and_update().of(&self.job, &self.log, None);
        self.wanted = Some(assigned.map_err(|error| error.to_string()));
    }
}

/// Waits until something else is assigned. When the site's policies are gone with the site, nothing changes any more.
async fn change(assignments: &mut watch::Receiver<Arc<Assignment<StreamerPolicy<Core>>>>) {
    if assignments.changed().await.is_err() {
        std::future::pending().await
    }
}
