use std::cell::RefCell;

use bindings::exports::fedtail::policy::receiving;
use bindings::fedtail::policy::chunks::Chunk;
use bindings::fedtail::policy::log_sink;

#[allow(unsafe_code)]
mod bindings {
    use super::Component;
    wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "receiver-policy" });
    export!(Component);
}

struct Component;

thread_local! {
    /// Mark, and when to fail.
    static SETTINGS: RefCell<(String, String)> = RefCell::default();
}

impl receiving::Guest for Component {
    fn accept(caller: receiving::Caller) -> Result<receiving::Terms, receiving::Refusal> {
        let setting =
            |name| caller.custom.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value).to_owned();
        SETTINGS.replace((setting("mark"), setting("fail")));
        Ok(receiving::Terms { idle_timeout: caller.idle_timeout })
    }

    fn step(wake: receiving::Wake) -> Result<receiving::Next, String> {
        if let receiving::Wake::Data(chunk) = wake {
            SETTINGS.with_borrow(|(mark, fail)| {
                log_sink::append(&Chunk::new(mark.as_bytes()));
                log_sink::append(&chunk);
                let poisoned = chunk.bytes().windows(6).any(|part| part == b"poison");
                assert!(fail != "data" && (fail != "poison" || !poisoned), "told to fail at this data");
            });
        }
        Ok(receiving::Next::Wait)
    }

    fn finish(_ending: receiving::Ending) -> receiving::Disposition {
        receiving::Disposition::Keep
    }
}
