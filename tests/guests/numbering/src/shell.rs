use std::cell::RefCell;

use bindings::exports::fedtail::policy::{snapshot, tailing};
use bindings::fedtail::policy::chunks::Chunk;
use bindings::fedtail::policy::log_source::{self, LogFile, Successor};
use bindings::fedtail::policy::{clock, transport};

#[allow(unsafe_code)]
mod bindings {
    use super::Component;
    wit_bindgen::generate!({ path: "../../../wit/0.1.0", world: "stateful-streamer-policy" });
    export!(Component);
}

struct Component;

#[derive(Default)]
struct Policy {
    tag: String,
    fail: String,
    poll: u64,
    once: bool,
    lines: u64,
    place: Option<(LogFile, u64)>,
    stopping: Option<u64>,
}

thread_local! {
    static POLICY: RefCell<Policy> = RefCell::default();
}

impl tailing::Guest for Component {
    fn start(settings: tailing::Settings) -> Result<(), String> {
        let mut policy = Policy { poll: settings.poll_interval, once: settings.once, ..Policy::default() };
        for (key, value) in settings.custom {
            match key.as_str() {
                "tag" => policy.tag = value,
                "fail" => policy.fail = value,
                _ => return Err(format!("there is no setting {key}")),
            }
        }
        if policy.fail == "start" {
            return Err("told to fail at its start".into());
        }
        POLICY.replace(policy);
        Ok(())
    }

    fn step(wake: tailing::Wake) -> Result<tailing::Next, String> {
        POLICY.with_borrow_mut(|policy| {
            let connected = matches!(wake, tailing::Wake::Connected(_));
            if connected {
                policy.place = None;
            }
            if matches!(wake, tailing::Wake::Stop) {
                policy.stopping = Some(clock::now() + policy.poll);
            }
            let next = policy.step();
            if connected && policy.fail == "connected" {
                return Err("told to fail at its first step".into());
            }
            next
        })
    }
}

impl snapshot::Guest for Component {
    fn save() -> Vec<u8> {
        POLICY.with_borrow(|policy| {
            assert!(policy.fail != "save", "told to fail when it saves");
            policy.lines.to_le_bytes().to_vec()
        })
    }

    fn load(state: Vec<u8>) -> Result<(), String> {
        POLICY.with_borrow_mut(|policy| {
            if policy.fail == "load" {
                return Err("told to fail when it loads".into());
            }
            policy.lines = u64::from_le_bytes(state.try_into().map_err(|_| "the state is no number")?);
            Ok(())
        })
    }
}

impl Policy {
    fn step(&mut self) -> Result<tailing::Next, String> {
        loop {
            if self.place.is_none() {
                match log_source::resume().map_err(|_| "the source can't be read")? {
                    Successor::Next(found) => self.enter(found)?,
                    _ => return Ok(self.sent_all()),
                }
            }
            let Some((file, offset)) = &mut self.place else { continue };
            if transport::window() == 0 {
                return Ok(tailing::Next::Wait(clock::now() + self.poll));
            }
            let chunk = file.read(*offset, 16 << 10).map_err(|_| "the source can't be read")?;
            let Some(end) = chunk.last_line_end() else {
                match log_source::after(file).map_err(|_| "the source can't be read")? {
                    Successor::Next(found) => {
                        self.enter(found)?;
                        continue;
                    }
                    _ => return Ok(self.sent_all()),
                }
            };
            let text = chunk.slice(0, end).bytes();
            let mut out = Vec::new();
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                assert!(
                    self.fail != "line" || !line.windows(6).any(|part| part == b"poison"),
                    "told to fail at this line"
                );
                self.lines += 1;
                out.extend_from_slice(format!("{}{}:", self.lines, self.tag).as_bytes());
                out.extend_from_slice(line);
            }
            let reached = *offset + u64::from(end);
            transport::send(&Chunk::new(&out), file, reached).map_err(|_| "the bytes are not taken")?;
            *offset = reached;
        }
    }

    fn enter(&mut self, found: log_source::Found) -> Result<(), String> {
        if let Some(lost) = &found.lost {
            transport::report_gap(lost).map_err(|_| "the gap is not taken")?;
        }
        self.place = Some((found.file, found.offset));
        Ok(())
    }

    fn sent_all(&self) -> tailing::Next {
        match self.stopping {
            _ if self.once => tailing::Next::Finished,
            Some(last_look) if clock::now() >= last_look => tailing::Next::Finished,
            Some(last_look) => tailing::Next::Wait(last_look),
            None => tailing::Next::Wait(clock::now() + self.poll),
        }
    }
}
