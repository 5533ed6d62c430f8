//! A streamer policy that does what its setting `does` says, and none of it is nice. Without the setting it forwards.

#![cfg(all(target_arch = "wasm32", not(test)))]

mod careless;
mod files;
mod greed;

use fedtail_policy_sdk::component::bindings::streamer::fedtail::policy::{clock, log_source, transport};
use fedtail_policy_sdk::component::streamer::Site;
use fedtail_policy_sdk::streamer::{Next, Settings, Wake};
use fedtail_policy_sdk::{Custom, Everything, Policy};

use careless::Careless;

/// The policy.
struct Hostile {
    does: String,
    honest: Everything<Careless<Site>>,
    /// Files of an earlier opening.
    old: Vec<log_source::LogFile>,
    /// What keeps memory.
    hoard: Vec<Vec<u8>>,
}

impl Policy<Site> for Hostile {
    fn start(host: Site, settings: Settings) -> Result<Self, String> {
        let mut custom = Custom::new(settings.custom);
        let does = custom.take("does").unwrap_or_default();
        match does.as_str() {
            "loop in start" => endless(),
            "trap in start" => panic!("in start"),
            "an error in start" => return Err("these settings \u{1b}[31mwill\nnever do".into()),
            _ => {}
        }
        let honest = Everything::start(Careless::new(host, &does), Settings { custom: Vec::new(), ..settings })?;
        Ok(Self { does, honest, old: Vec::new(), hoard: Vec::new() })
    }

    fn step(&mut self, wake: Wake) -> Result<Next, String> {
        let said = match self.does.as_str() {
            "loop" => endless(),
            "loop around host calls" => loop {
                transport::window();
            },
            "loop around errors" => loop {
                // Nothing was read, so this is an error each time.
                if let Ok(log_source::Successor::Next(found)) = log_source::resume() {
                    let _ = transport::skip(&found.file, u64::MAX);
                }
            },
            "trap" => panic!("in a step"),
            "overflow the stack" => Err(deeper(&[1; 64]).to_string()),
            "an error that is long" => Err("\u{7}x".repeat(100_000)),
            "wait for ever" => return Ok(Next::Wait(u64::MAX)),
            "finish at once" => return Ok(Next::Finished),
            "turn without end" => return Ok(Next::Wait(clock::now().saturating_sub(1))),
            does => match greed::step(does, &mut self.hoard).or_else(|| files::step(does, &mut self.old)) {
                Some(said) => said,
                None => return self.honest.step(wake),
            },
        };
        said.map(|()| Next::Finished)
    }
}

fn endless() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

fn deeper(above: &[u8; 64]) -> u64 {
    let here = std::hint::black_box([above[0]; 64]);
    deeper(&here) + u64::from(std::hint::black_box(here)[63])
}

fedtail_policy_sdk::streamer!(step Hostile);
