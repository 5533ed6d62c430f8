//! What the host has to say goes to Python's `logging`, as the logger `fedtail`.
//!
//! Through a thread of its own: a worker of the runtime that waited for the GIL would hold up all streams.

use std::fmt::Write;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::callbacks::Caller;

/// Messages that wait for the GIL; more are dropped, since what is said so often says nothing.
const WAITING: usize = 1000;

static CALLER: OnceLock<Arc<Caller<Message>>> = OnceLock::new();
static WAITS: AtomicUsize = AtomicUsize::new(0);

struct Message {
    level: u8,
    words: String,
}

/// Begins to pass on what the host says, if nothing in this process has taken that on before.
pub fn begin() {
    let Ok(caller) = Caller::start("fedtail-logging", log) else { return };
    let caller = CALLER.get_or_init(|| caller).clone();
    let registry = tracing_subscriber::registry().with(Passing { caller }.with_filter(LevelFilter::INFO));
    // Another extension of this process may have set its own: what the host says goes there then.
    let _ = tracing::subscriber::set_global_default(registry);
}

/// Waits until what was said is passed on.
pub fn end() {
    if let Some(caller) = CALLER.get() {
        caller.stop(std::thread::current().id());
    }
}

fn log(py: Python<'_>, message: Message) -> PyResult<()> {
    WAITS.fetch_sub(1, Ordering::Relaxed);
    let logger = py.import("logging")?.call_method1("getLogger", ("fedtail",))?;
    logger.call_method1("log", (message.level, "%s", message.words)).map(drop)
}

struct Passing {
    caller: Arc<Caller<Message>>,
}

impl<S: Subscriber> Layer<S> for Passing {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let target = event.metadata().target();
        if !target.starts_with("fedtail") && !target.starts_with(env!("CARGO_CRATE_NAME")) {
            return;
        }
        // As in Python's `logging`.
        let level = match *event.metadata().level() {
            Level::ERROR => 40,
            Level::WARN => 30,
            Level::INFO => 20,
            Level::DEBUG | Level::TRACE => 10,
        };
        if WAITS.fetch_add(1, Ordering::Relaxed) >= WAITING {
            WAITS.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let mut words = Words::default();
        event.record(&mut words);
        self.caller.call(Message { level, words: words.message + &words.fields });
    }
}

/// An event as a line.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a text does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}
