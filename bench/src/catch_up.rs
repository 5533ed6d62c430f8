//! How fast a log that is there already gets to the server, near and far, and what that costs.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::peer::Peer;
use crate::statistics::median;
use crate::table::{Table, Target};
use crate::{Bench, PATIENCE, relay, sample};

/// One way of the far link: half of its round trip.
const ONE_WAY: Duration = Duration::from_millis(25);
/// How often the stored file's size is looked at: seldom enough to cost nothing, often enough for runs of a second.
const LOOK: Duration = Duration::from_millis(1);

/// What one run came to.
struct Run {
    /// Millions of bytes in a second.
    speed: f64,
    /// Seconds for 1000 MB, of all processes.
    processor: f64,
    /// MiB.
    site: f64,
    /// MiB.
    server: f64,
}

/// One kind of measurement: who, over which link, which size.
struct Series<'a> {
    peer: &'a dyn Peer,
    far: bool,
    small: bool,
    runs: Vec<Run>,
}

impl Series<'_> {
    fn median(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        median(&self.runs.iter().map(figure).collect::<Vec<_>>())
    }

    fn most(&self, figure: impl Fn(&Run) -> f64) -> f64 {
        self.runs.iter().map(figure).fold(0.0, f64::max)
    }
}

/// Measures, and fills in the table.
pub fn measure(bench: &Bench, near: bool, far: bool, table: &mut Table) -> Result<()> {
    let (log, small) = (bench.directory.path().join("log.txt"), bench.directory.path().join("small.txt"));
    let size = sample::write(&log, bench.size).context("the log could not be written")?;
    let small_size = sample::write(&small, bench.size / 4).context("the log could not be written")?;
    // Compiles its policies, which a machine does once and not in each run.
    run(bench, &bench.fedtail, &small, small_size, false)?;
    let mut series = Vec::new();
    for peer in bench.peers() {
        series.push(Series { peer, far: false, small: false, runs: Vec::new() });
        if far {
            series.push(Series { peer, far: true, small: false, runs: Vec::new() });
        }
    }
    if near {
        series.push(Series { peer: &bench.fedtail, far: false, small: true, runs: Vec::new() });
    }
    for number in 1..=bench.runs {
        for series in &mut series {
            let (log, size) = if series.small { (&small, small_size) } else { (&log, size) };
            let run = run(bench, series.peer, log, size, series.far)?;
            eprintln!(
                "run {number}, {}{}, {} MB: {:.0} MB/s, {:.2} s of processor for 1000 MB, {:.1} MiB at the site, {:.1} \
                 at the server",
                series.peer.name(),
                if series.far { ", far" } else { "" },
                size / 1_000_000,
                run.speed,
                run.processor,
                run.site,
                run.server
            );
            series.runs.push(run);
        }
    }
    rows(bench, &series, near, table);
    fs::remove_file(log)?;
    fs::remove_file(small)?;
    Ok(())
}

fn rows(bench: &Bench, series: &[Series<'_>], near: bool, table: &mut Table) {
    let find = |pipe: bool, far: bool, small: bool| {
        let ours = bench.fedtail.name();
        series.iter().find(|s| (s.peer.name() != ours) == pipe && s.far == far && s.small == small)
    };
    let Some(ours) = find(false, false, false) else { return };
    let pipe = find(true, false, false);
    let (speed, processor) = (ours.median(|run| run.speed), ours.median(|run| run.processor));
    if near {
        let pipes = pipe.map(|pipe| pipe.median(|run| run.speed));
        let judged = pipes.map(|pipe| (speed / pipe, "", Target::AtLeast(0.8)));
        let megabytes = |speed: f64| format!("{speed:.0} MB/s");
        table.row("catch-up", megabytes(speed), pipes.map(megabytes), judged);
        let pipes = pipe.map(|pipe| pipe.median(|run| run.processor));
        let judged = pipes.map(|pipe| (processor / pipe, "", Target::AtMost(2.0)));
        let seconds = |time: f64| format!("{time:.2} s/GB");
        table.row("processor time, both sides", seconds(processor), pipes.map(seconds), judged);
        let Some(small) = find(false, false, true) else { return };
        let memory: [fn(&Run) -> f64; 2] = [|run| run.site, |run| run.server];
        for (side, figure) in ["site", "server"].into_iter().zip(memory) {
            let (some, all) = (small.most(figure), ours.most(figure));
            let megabytes = bench.size / 1_000_000;
            let what = format!("memory of the {side}, {} MB and {megabytes} MB", megabytes / 4);
            let pipes = pipe.map(|pipe| format!("{:.1} MiB", pipe.most(figure)));
            let judged = (some.max(all), " MiB", Target::AtMost(64.0));
            table.row(&what, format!("{some:.1} and {all:.1} MiB"), pipes, Some(judged));
        }
    }
    let Some(far) = find(false, true, false) else { return };
    let far_speed = far.median(|run| run.speed);
    let pipes = find(true, true, false).map(|pipe| format!("{:.0} MB/s", pipe.median(|run| run.speed)));
    let judged = (far_speed / speed, " of near", Target::AtLeast(0.5));
    table.row("catch-up over 50 ms", format!("{far_speed:.0} MB/s"), pipes, Some(judged));
    let (site, server) = (far.most(|run| run.site), far.most(|run| run.server));
    let judged = (site.max(server), " MiB", Target::AtMost(64.0));
    table.row("memory over 50 ms, site and server", format!("{site:.1} and {server:.1} MiB"), None, Some(judged));
}

/// One run, in a fresh store.
fn run(bench: &Bench, peer: &dyn Peer, log: &Path, size: u64, far: bool) -> Result<Run> {
    let directory = tempfile::tempdir_in(bench.directory.path())?;
    let mut listener = peer.listen(directory.path(), log)?;
    let address = if far { relay::start(listener.address, ONE_WAY)? } else { listener.address };
    let before = listener.process.processor_time()?;
    let start = Instant::now();
    let mut senders = peer.follow(log, address)?;
    while fs::metadata(&listener.stored).map_or(0, |stored| stored.len()) < size {
        if start.elapsed() > PATIENCE {
            bail!("{}: {} MB are not there after {PATIENCE:?}", peer.name(), size / 1_000_000);
        }
        listener.process.is_running()?;
        senders.iter_mut().try_for_each(|sender| sender.is_running())?;
        thread::sleep(LOOK);
    }
    let seconds = start.elapsed().as_secs_f64();
    let mut processor = listener.process.processor_time()? - before;
    let mut site = 0;
    for sender in &senders {
        processor += sender.processor_time()?;
        site += sender.peak_memory()?;
    }
    let server = listener.process.peak_memory()?;
    drop(senders);
    same(log, &listener.stored).with_context(|| format!("what {} stored", peer.name()))?;
    let megabytes = size as f64 / 1e6;
    let mebibytes = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    Ok(Run {
        speed: megabytes / seconds,
        processor: processor.as_secs_f64() * 1000.0 / megabytes,
        site: mebibytes(site),
        server: mebibytes(server),
    })
}

/// Whether two files are the same.
fn same(a: &Path, b: &Path) -> Result<()> {
    let (mut a, mut b) = (File::open(a)?, File::open(b)?);
    let (mut left, mut right) = (vec![0; 1 << 20], vec![0; 1 << 20]);
    let mut at = 0;
    loop {
        let length = a.read(&mut left)?;
        if length == 0 {
            let more = b.read(&mut right)?;
            return if more == 0 { Ok(()) } else { bail!("it is longer than the log") };
        }
        b.read_exact(&mut right[..length])?;
        if left[..length] != right[..length] {
            bail!("it differs from the log behind byte {at}");
        }
        at += length as u64;
    }
}
