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
/// A stream that is not done by then, since the server can't store what it has on the way, lets others go.
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
}

impl Turnover {
    /// For a stream of this log, which is under the assignment that `assignments` has seen last.
    pub fn new(
        job: String,
        log: String,
        assignments: watch::Receiver<Arc<Assignment<StreamerPolicy<Core>>>>,
        turns: Turns,
    ) -> Self {
        Self { job, log, assignments, turns, wanted: None, place: None, turn: None }
    }

    /// Gives the turn back once the stream has gone over.
    pub fn look(&mut self, driver: &Driver) {
        if !driver.is_swapping() || self.turn.as_ref().is_some_and(|(_, until)| *until <= Instant::now()) {
            self.turn = None;
        }
    }

    /// Waits for another policy, and for the turn to go over to it. Can be dropped and called again at any time.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(wanted) = &self.wanted {
                // That nothing more may leave has no time to wait for a turn.
                let turn = match wanted {
                    Err(_) => None,
                    Ok(_) => {
                        let turns = self.turns.0.clone();
                        let place =
                            self.place.get_or_insert_with(|| Box::pin(async { turns.acquire_owned().await.ok() }));
                        tokio::select! {
                            turn = place => turn,
                            changed = self.assignments.changed() => {
                                self.want(changed.is_ok());
                                continue;
                            }
                        }
                    }
                };
                self.place = None;
                self.turn = turn.map(|turn| (turn, Instant::now() + LONGEST_TURN));
                if let Some(wanted) = self.wanted.take() {
                    return Event::Policy(Box::new(wanted));
                }
            }
            let turn_over = async {
                match &self.turn {
                    Some((_, until)) => tokio::time::sleep_until(*until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                changed = self.assignments.changed() => match changed {
                    Ok(()) => self.want(true),
                    // The site's policies are gone with the site: nothing changes any more.
                    Err(_) => std::future::pending().await,
                },
                () = turn_over => self.turn = None,
            }
        }
    }

    fn want(&mut self, changed: bool) {
        if changed {
            let assigned = self.assignments.borrow_and_update().of(&self.job, &self.log, None);
            self.wanted = Some(assigned.map_err(|error| error.to_string()));
        }
    }
}
