//! What the sandbox costs: the default streamer policy as the component that a site runs, and the same source code
//! compiled into this program, over the same host.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};
use bytes::Bytes;
use fedtail::clock::{Clock, SystemClock};
use fedtail::policy::{
    Component, Engine, Kind, Next, Progress, SendError, Settings, Source, SourceFault, StreamerHost, StreamerPolicy,
    Successor, Time, Wake, limits,
};
use fedtail::source::{self, AnchorKey, FileRef, LogSource, Stat};
use fedtail::wire;
use fedtail_guest_streamer::host::{self, Host, Nanos};
use fedtail_guest_streamer::streamer::{self, Streamer};

use crate::statistics::median;
use crate::table::{Table, Target};
use crate::{Bench, sample};

/// What one step may send, as at a site.
const STEP_BYTES: u64 = 1 << 20;
/// Runs for each of the two that a run of the others stands for: these are short.
const ROUNDS: usize = 5;

/// Measures, and fills in the table.
pub fn measure(bench: &Bench, table: &mut Table) -> Result<()> {
    let log = bench.directory.path().join("sandbox.txt");
    let size = sample::write(&log, bench.size)?;
    let engine = Engine::new(None).map_err(|words| anyhow!(words))?;
    let component = Component::embedded(&engine, Kind::Streamer)?;
    let policy = StreamerPolicy::link(&engine, &component)?;
    let (mut sandboxed, mut native) = (Vec::new(), Vec::new());
    for _ in 0..bench.runs * ROUNDS {
        native.push(run(&log, size, |site| Native::start(site).map(Native::stepper))?);
        sandboxed.push(run(&log, size, |site| in_sandbox(&policy, site))?);
    }
    std::fs::remove_file(log)?;
    let (sandboxed, native) = (median(&sandboxed), median(&native));
    let speed = |seconds: f64| size as f64 / seconds / 1e6;
    eprintln!("the policy in its sandbox {:.0} MB/s, without {:.0} MB/s", speed(sandboxed), speed(native));
    let share = (sandboxed - native).max(0.0) / sandboxed * 100.0;
    let figures = format!("{:.0} MB/s, without {:.0} MB/s", speed(sandboxed), speed(native));
    table.row("the sandbox's share of a site's reading", figures, None, Some((share, " %", Target::AtMost(10.0))));
    Ok(())
}

/// Steps a policy once; the host comes with it.
type Step = Box<dyn FnMut(Wake) -> Result<(Next, u64)>>;

/// Seconds that a policy takes to read the whole log and send it to nobody: the costs that are not the policy's are
/// small here, so that its share is not hidden behind them.
fn run(log: &Path, size: u64, start: impl FnOnce(Site) -> Result<Step>) -> Result<f64> {
    let source = LogSource::open(log, AnchorKey::from_secret(b"a measurement"))?;
    let site = Site { source, clock: SystemClock::default(), window: STEP_BYTES, sent: 0 };
    let begin = Instant::now();
    let mut step = start(site)?;
    let mut wake = Wake::Connected(Progress::default());
    let sent = loop {
        let (next, sent) = step(wake)?;
        if next == Next::Finished {
            break sent;
        }
        wake = Wake::Writable;
    };
    let seconds = begin.elapsed().as_secs_f64();
    if sent != size {
        bail!("{sent} of {size} bytes were sent");
    }
    Ok(seconds)
}

fn settings() -> Settings {
    Settings { liveness_interval: 10_000_000_000, poll_interval: 500_000_000, once: true, custom: Vec::new() }
}

fn in_sandbox(policy: &StreamerPolicy<Site>, site: Site) -> Result<Step> {
    let mut instance = policy.start(site, "measured", &settings()).map_err(|(_, fault)| anyhow!("{fault}"))?;
    Ok(Box::new(move |wake| {
        instance.host().window = STEP_BYTES;
        let next = instance.step(wake)?;
        Ok((next, instance.host().sent))
    }))
}

/// A site whose link takes everything at once.
struct Site {
    source: LogSource,
    clock: SystemClock,
    window: u64,
    sent: u64,
}

impl Site {
    fn successor(next: Result<source::Next, source::SourceError>) -> Result<Successor, SourceFault> {
        match next.map_err(|error| SourceFault::Other(error.to_string()))? {
            source::Next::NoneYet => Ok(Successor::NoneYet),
            source::Next::Unread => Ok(Successor::Unread),
            source::Next::Found(found) => {
                Ok(Successor::Found(Source { file: found.file, offset: found.offset, gap: found.gap }))
            }
        }
    }

    fn stored(&mut self, length: u64, file: FileRef, reached: u64) -> Result<(), SendError> {
        // As for a real frame: the position is made, and what is acknowledged is let go.
        let progress = self.source.progress_at(file, reached);
        progress.map_err(|error| SendError::BadPosition(error.to_string()))?;
        self.source.acknowledged(file, reached);
        self.window = self.window.saturating_sub(length);
        self.sent += length;
        Ok(())
    }
}

impl Time for Site {
    fn now(&self) -> u64 {
        self.clock.now()
    }

    fn wall(&self) -> u64 {
        self.clock.wall()
    }
}

impl StreamerHost for Site {
    fn resume(&mut self) -> Result<Successor, SourceFault> {
        Self::successor(self.source.resume(None, false))
    }

    fn after(&mut self, file: FileRef) -> Result<Successor, SourceFault> {
        Self::successor(self.source.after(file))
    }

    fn stat(&mut self, file: FileRef) -> Result<Stat, SourceFault> {
        self.source.stat(file).map_err(|error| SourceFault::Other(error.to_string()))
    }

    fn read(&mut self, file: FileRef, offset: u64, max: u32) -> Result<Bytes, SourceFault> {
        self.source.read(file, offset, max).map_err(|error| SourceFault::Other(error.to_string()))
    }

    fn window(&mut self) -> u64 {
        self.window
    }

    fn send_part(&mut self, _: Bytes) -> Result<(), SendError> {
        Err(SendError::BadPosition("the default policy sends no parts".into()))
    }

    fn send(&mut self, data: Bytes, file: FileRef, reached: u64) -> Result<(), SendError> {
        self.stored(data.len() as u64, file, reached)
    }

    fn skip(&mut self, file: FileRef, reached: u64) -> Result<(), SendError> {
        self.stored(0, file, reached)
    }

    fn report_gap(&mut self, _: wire::Gap) -> Result<(), SendError> {
        Ok(())
    }
}

/// The policy's own source code over the same site, without WebAssembly between them.
struct Native {
    policy: Streamer<Directly>,
    site: Directly,
}

impl Native {
    fn start(site: Site) -> Result<Self> {
        let settings = settings();
        let policy = Streamer::start(streamer::Settings {
            poll_interval: settings.poll_interval,
            max_chunk_size: limits::CHUNK,
            once: settings.once,
            custom: settings.custom,
        });
        Ok(Self { policy: policy.map_err(|words| anyhow!(words)).context("the policy")?, site: Directly(site) })
    }

    fn stepper(mut self) -> Step {
        Box::new(move |wake| {
            self.site.0.window = STEP_BYTES;
            let wake = match wake {
                Wake::Connected(_) => streamer::Wake::Connected,
                Wake::Changed => streamer::Wake::Changed,
                Wake::Writable => streamer::Wake::Writable,
                Wake::Timer => streamer::Wake::Timer,
                Wake::Stop => streamer::Wake::Stop,
            };
            let next = match self.policy.step(&mut self.site, wake).map_err(|words| anyhow!(words))? {
                streamer::Next::Wait(at) => Next::Wait(at),
                streamer::Next::Finished => Next::Finished,
            };
            Ok((next, self.site.0.sent))
        })
    }
}

/// The site, as the policy's trait has it.
struct Directly(Site);

impl Host for Directly {
    type File = FileRef;
    type Chunk = Bytes;
    type Gap = wire::Gap;

    fn now(&mut self) -> Nanos {
        Time::now(&self.0)
    }

    fn resume(&mut self) -> Result<host::Successor<FileRef, wire::Gap>, host::SourceError> {
        self.0.resume().map(successor).map_err(source_error)
    }

    fn after(&mut self, file: &FileRef) -> Result<host::Successor<FileRef, wire::Gap>, host::SourceError> {
        self.0.after(*file).map(successor).map_err(source_error)
    }

    fn size(&mut self, file: &FileRef) -> Result<u64, host::SourceError> {
        self.0.stat(*file).map(|stat| stat.size).map_err(source_error)
    }

    fn read(&mut self, file: &FileRef, offset: u64, max: u32) -> Result<Bytes, host::SourceError> {
        self.0.read(*file, offset, max).map_err(source_error)
    }

    fn len(&mut self, chunk: &Bytes) -> u32 {
        u32::try_from(chunk.len()).unwrap_or(u32::MAX)
    }

    fn window(&mut self) -> u64 {
        StreamerHost::window(&mut self.0)
    }

    fn send(&mut self, data: &Bytes, file: &FileRef, reached: u64) -> Result<(), host::SendError> {
        StreamerHost::send(&mut self.0, data.clone(), *file, reached).map_err(send_error)
    }

    fn report_gap(&mut self, lost: &wire::Gap) -> Result<(), host::SendError> {
        StreamerHost::report_gap(&mut self.0, lost.clone()).map_err(send_error)
    }

    fn gap_in_words(&mut self, why: String) -> wire::Gap {
        wire::Gap { words: why, ..wire::Gap::default() }
    }

    fn say(&mut self, _: host::Level, words: &str) {
        eprintln!("the policy says: {words}");
    }
}

fn successor(next: Successor) -> host::Successor<FileRef, wire::Gap> {
    match next {
        Successor::NoneYet => host::Successor::NoneYet,
        Successor::Unread => host::Successor::Unread,
        Successor::Found(found) => {
            host::Successor::Next(host::Found { file: found.file, offset: found.offset, lost: found.gap })
        }
    }
}

fn source_error(fault: SourceFault) -> host::SourceError {
    match fault {
        SourceFault::Denied(words) => host::SourceError::Denied(words),
        SourceFault::Other(words) => host::SourceError::Other(words),
    }
}

fn send_error(error: SendError) -> host::SendError {
    match error {
        SendError::WindowFull => host::SendError::WindowFull,
        SendError::Disconnected => host::SendError::Disconnected,
        SendError::TooLarge(limit) => host::SendError::TooLarge(limit),
        SendError::BadPosition(words) => host::SendError::BadPosition(words),
        SendError::GapUnreported => host::SendError::GapUnreported,
    }
}
