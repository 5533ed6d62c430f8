//! From an instance to its successor: the state, and the host that both work with.

use super::StreamerHost;
use super::StreamerInstance;
use crate::policy::error::Fault;
use crate::policy::guest::{self, printable};

/// An instance that waits, without its host, for how its successor begins.
pub struct ParkedInstance<H: 'static>(StreamerInstance<H>);

impl<H: StreamerHost> ParkedInstance<H> {
    /// Lets it go on.
    pub fn unpark(mut self, host: H) -> StreamerInstance<H> {
        self.0.store.data_mut().host.give(host);
        self.0
    }
}

impl<H: StreamerHost> StreamerInstance<H> {
    /// The state that it has for its successor; none where it exports no `snapshot`. After a fault the instance is spent.
    pub fn save(&mut self) -> Option<Result<Vec<u8>, Fault>> {
        let snapshot = self.snapshot.as_ref()?;
        Some(guest::call(&mut self.store, |store| snapshot.call_save(store)))
    }

    /// Gives it its predecessor's state, before its first step; one that exports no `snapshot` goes without. After a
    /// fault the instance is spent.
    pub fn load(&mut self, state: &[u8]) -> Result<(), Fault> {
        let Some(snapshot) = self.snapshot.as_ref() else { return Ok(()) };
        let loaded = guest::call(&mut self.store, |store| snapshot.call_load(store, state))?;
        loaded.map_err(|words| Fault::Gave(printable(&words)))
    }

    /// Sets it aside while its successor begins, which works with the same host.
    pub fn park(mut self) -> (ParkedInstance<H>, H) {
        let host = self.store.data_mut().host.take().expect("an instance that can be called has its host");
        (ParkedInstance(self), host)
    }
}
