//! A receiver policy that does to a log what its setting `does` says, or without it the log's name. Any other log is stored.

#![cfg(all(target_arch = "wasm32", not(test)))]

use std::cell::RefCell;

use fedtail_policy_sdk::component::bindings::receiver as bindings;

use bindings::exports::fedtail::policy::receiving::{Caller, Disposition, Ending, Guest, Next, Refusal, Terms, Wake};
use bindings::fedtail::policy::chunks::Chunk;
use bindings::fedtail::policy::{clock, log_sink};

struct Hostile;

thread_local! {
    static DOES: RefCell<String> = const { RefCell::new(String::new()) };
    static KEPT: RefCell<Vec<Chunk>> = const { RefCell::new(Vec::new()) };
}

impl Guest for Hostile {
    fn accept(caller: Caller) -> Result<Terms, Refusal> {
        let does = caller.custom.iter().find(|(key, _)| key == "does").map_or(&caller.log, |(_, value)| value);
        DOES.set(does.clone());
        match does.as_str() {
            "refuse who comes back" if caller.stored > 0 => return Err(Refusal::Never("it was here before".into())),
            "trap in accept" => panic!("in accept"),
            "loop in accept" => endless(),
            "append in accept" => log_sink::append(&Chunk::new(b"early")),
            "a time of nothing" => return Ok(Terms { idle_timeout: 0 }),
            _ => {}
        }
        Ok(Terms { idle_timeout: caller.idle_timeout })
    }

    fn step(wake: Wake) -> Result<Next, String> {
        let Wake::Data(chunk) = wake else { return Ok(Next::Wait) };
        DOES.with_borrow(|does| match does.as_str() {
            "loop" => endless(),
            "trap" => panic!("in a step"),
            "trap behind append" => {
                log_sink::append(&chunk);
                panic!("in a step")
            }
            "an error behind append" => {
                log_sink::append(&chunk);
                Err("it changed its mind".into())
            }
            "trap at times" => {
                // Each fresh instance may have more luck.
                let half = chunk.len() / 2;
                log_sink::append(&chunk.slice(0, half));
                assert!(!(clock::now() / 1_000_000).is_multiple_of(4), "in a step");
                log_sink::append(&chunk.slice(half, chunk.len()));
                Ok(Next::Wait)
            }
            "swallow" => Ok(Next::Wait),
            "store twice" => {
                log_sink::append(&chunk);
                log_sink::append(&chunk);
                Ok(Next::Wait)
            }
            "close early" => {
                log_sink::append(&chunk);
                Ok(Next::Close(Ending::Complete))
            }
            "take nothing" => {
                log_sink::drop_data("it is of no use");
                Ok(Next::Wait)
            }
            "append without end" => loop {
                log_sink::append(&chunk);
            },
            "keep all chunks" => {
                log_sink::append(&chunk);
                KEPT.with_borrow_mut(|kept| kept.push(chunk));
                Ok(Next::WaitUntil(0))
            }
            _ => {
                log_sink::append(&chunk);
                Ok(Next::Wait)
            }
        })
    }

    fn finish(_ending: Ending) -> Disposition {
        DOES.with_borrow(|does| match does.as_str() {
            "trap in finish" => panic!("in finish"),
            "loop in finish" => endless(),
            "append in finish" => log_sink::append(&Chunk::new(b"late")),
            _ => {}
        });
        Disposition::Keep
    }
}

fn endless() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

bindings::export!(Hostile with_types_in bindings);
