//! How long a line takes from being appended at the site to being readable in the store.

use std::fs::{self, File, OpenOptions};
use std::hint;
use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::peer::Peer;
use crate::statistics::{median, percentile};
use crate::table::{Table, Target};
use crate::{Bench, PATIENCE, sample};

/// The time between two lines.
const INTERVAL: Duration = Duration::from_millis(100);
/// Lines before those that count: connections are made, caches are filled.
const WARM_UP: usize = 5;

/// Measures, and fills in the table.
pub fn measure(bench: &Bench, table: &mut Table) -> Result<()> {
    let peers = bench.peers();
    let mut medians = vec![Vec::new(); peers.len()];
    let mut tails = vec![Vec::new(); peers.len()];
    for number in 1..=bench.runs {
        for (index, peer) in peers.iter().enumerate() {
            let delays = run(bench, *peer)?;
            let (middle, tail) = (median(&delays), percentile(&delays, 99));
            eprintln!("run {number}, {}: median {middle:.3} ms, 99 % within {tail:.3} ms", peer.name());
            medians[index].push(middle);
            tails[index].push(tail);
        }
    }
    for (what, figures) in [("one line, median delay", medians), ("one line, 99 % within", tails)] {
        let figures: Vec<f64> = figures.iter().map(|runs| median(runs)).collect();
        // The pipe, where it is there, is the first.
        let (Some(ours), pipe) = (figures.last(), figures.len() > 1) else { continue };
        let milliseconds = |delay: f64| format!("{delay:.3} ms");
        let judged = pipe.then(|| (ours / figures[0], "", Target::AtMost(1.5)));
        table.row(what, milliseconds(*ours), pipe.then(|| milliseconds(figures[0])), judged);
    }
    Ok(())
}

/// The delays of one run's lines, in milliseconds.
fn run(bench: &Bench, peer: &dyn Peer) -> Result<Vec<f64>> {
    let directory = tempfile::tempdir_in(bench.directory.path())?;
    let path = directory.path().join("live.txt");
    let mut log = OpenOptions::new().create(true).append(true).open(&path)?;
    let mut listener = peer.listen(directory.path(), &path)?;
    let mut senders = peer.follow(&path, listener.address)?;
    let mut lines = sample::Lines::default();
    let mut delays = Vec::new();
    let mut stored = None;
    let mut size = 0;
    for number in 0..WARM_UP + bench.lines {
        let line = lines.next();
        size += line.len() as u64;
        let start = Instant::now();
        log.write_all(line)?;
        let file = match &stored {
            Some(file) => file,
            None => stored.insert(appears(&listener.stored)?),
        };
        // Without a pause between two looks, so that the looking adds nothing; both are watched alike.
        while file.metadata()?.len() < size {
            if start.elapsed() > PATIENCE {
                listener.process.is_running()?;
                senders.iter_mut().try_for_each(|sender| sender.is_running())?;
                bail!("{}: a line is not there after {PATIENCE:?}", peer.name());
            }
            hint::spin_loop();
        }
        let delay = start.elapsed();
        if number >= WARM_UP {
            delays.push(delay.as_secs_f64() * 1000.0);
        }
        thread::sleep(INTERVAL.saturating_sub(delay));
    }
    if fs::read(&path)? != fs::read(&listener.stored)? {
        bail!("what {} stored differs from the log", peer.name());
    }
    Ok(delays)
}

/// Opens a file once it is there.
fn appears(path: &std::path::Path) -> Result<File> {
    let start = Instant::now();
    loop {
        match File::open(path) {
            Ok(file) => return Ok(file),
            Err(error) if start.elapsed() > PATIENCE => {
                return Err(error).with_context(|| format!("{} after {PATIENCE:?}", path.display()));
            }
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
    }
}
