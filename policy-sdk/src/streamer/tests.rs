//! Each test is a table: what happens, then why the policy is woken, what it makes others hear, what it waits for.

use super::*;
use crate::model::{Act, Site};

mod ending;
mod sending;
mod trouble;

/// The poll interval of the tests; the clock stands at 0 until a table moves it.
const POLL: Nanos = 500;

const FOLLOW: Settings = Settings { poll_interval: POLL, max_chunk_size: 64, once: false, custom: Vec::new() };
const ONCE: Settings = Settings { poll_interval: POLL, max_chunk_size: 64, once: true, custom: Vec::new() };

type Row<'a> = (&'a [Act], Wake, &'a [&'a str], Next);

/// Plays a table against a fresh policy, and returns both as they are in the end.
fn play(settings: Settings, table: &[Row]) -> (Streamer<Site>, Site) {
    let (mut policy, mut site) = (Streamer::start(settings).unwrap(), Site::new());
    for (number, (acts, wake, heard, next)) in table.iter().enumerate() {
        acts.iter().for_each(|act| site.act(act.clone()));
        let mut got = policy.step(&mut site, *wake);
        // The moment after what was sent takes no time here.
        while got == Ok(Next::Wait(site.now + policy.moment())) {
            got = policy.step(&mut site, Wake::Timer);
        }
        assert_eq!(site.heard(), *heard, "heard in row {number}: {acts:?}, {wake:?}");
        assert_eq!(got.as_ref(), Ok(next), "row {number}: {acts:?}, {wake:?}");
    }
    (policy, site)
}
