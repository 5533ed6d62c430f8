//! Many live streams go over to another policy while their logs are written: nothing is lost, nothing comes twice, and no
//! stream pauses for long.
//!
//! Site and server are in this process, without a network between them: what is measured is the swap.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use fedtail::names::{JobName, SiteName};
use fedtail::policy::set::{Origin, PolicyEvent};
use fedtail::policy::{Component, Kind};
use fedtail::server::Server;
use fedtail::site::{Ending, LogFile, Site, Stream};
use fedtail::transport::InProcess;

use crate::statistics::{median, percentile};
use crate::table::{Table, Target};
use crate::{Bench, PATIENCE};

/// Lines of all logs together in a second.
const LINES_PER_SECOND: usize = 20_000;
/// How often each log has a line written.
const EACH: Duration = Duration::from_millis(50);

/// On a machine that is too slow for so many lines nothing would hang, and nothing would end.
const LIMIT: Duration = Duration::from_secs(300);

/// Logs of one job, as NVIDIA FLARE's have; they are in one directory.
const LOGS_OF_A_JOB: usize = 4;

/// What was measured.
struct Swap {
    /// Lines a second that were written while the streams changed.
    lines_per_second: f64,
    /// From the new file until the last stream had changed, in seconds.
    took: f64,
    /// For how long each stream had no policy that was stepped, in milliseconds.
    pauses: Vec<f64>,
}

/// Measures, and fills in the table.
pub fn measure(bench: &Bench, table: &mut Table) -> Result<()> {
    let swap = fedtail::runtime().build()?.block_on(async {
        let swap = tokio::time::timeout(LIMIT, run(bench.directory.path(), bench.streams)).await;
        swap.with_context(|| format!("{} streams did not change their policy within {LIMIT:?}", bench.streams))?
    })?;
    let longest = percentile(&swap.pauses, 100);
    eprintln!(
        "{} streams at {:.0} lines/s changed their policy within {:.2} s; pauses: median {:.2} ms, 99 % within {:.2} ms, \
         longest {longest:.2} ms; nothing lost, nothing twice",
        bench.streams,
        swap.lines_per_second,
        swap.took,
        median(&swap.pauses),
        percentile(&swap.pauses, 99)
    );
    let what = format!("longest pause, {} streams swap", bench.streams);
    let figures = format!("{longest:.1} ms at {:.0} lines/s", swap.lines_per_second);
    table.row(&what, figures, None, Some((longest, " ms", Target::AtMost(50.0))));
    Ok(())
}

/// The built-in streamer with another digest: a custom section, which changes nothing, is put behind it.
fn variant(mark: u8) -> Vec<u8> {
    [Component::embedded_bytes(Kind::Streamer), &[0, 3, 1, b'v', mark]].concat()
}

/// Puts a file in place in one step.
fn replace(file: &Path, bytes: &[u8]) -> Result<()> {
    let draft = file.with_extension("draft");
    fs::write(&draft, bytes)?;
    Ok(fs::rename(&draft, file)?)
}

/// Streams so many logs, swaps their policy, and compares every log with what is stored of it.
async fn run(scratch: &Path, streams: usize) -> Result<Swap> {
    let directory = tempfile::tempdir_in(scratch)?;
    let [store, logs, policies] = ["store", "logs", "policies"].map(|name| directory.path().join(name));
    fs::create_dir(&logs)?;
    fs::create_dir(&policies)?;
    let policy = policies.join("p.wasm");
    replace(&policy, &variant(0))?;
    let server = Server::builder(&store).start()?;
    let (told, mut events) = tokio::sync::mpsc::unbounded_channel();
    let site = Site::builder(InProcess::new(&server, SiteName::new("site")?))
        .policies(Origin::at(&policy))
        .on_policy(move |event| told.send(event.clone()).unwrap_or_default())
        .start()?;
    let mut running = Vec::new();
    for number in 0..streams {
        let (job, name) = names(number);
        fs::create_dir_all(logs.join(&job))?;
        let log = logs.join(&job).join(name);
        fs::write(&log, "")?;
        running.push(site.stream(LogFile::new(&log, JobName::new(&job)?))?);
    }
    let over = Arc::new(AtomicBool::new(false));
    let writer = {
        let (logs, over) = (logs.clone(), over.clone());
        std::thread::spawn(move || write(&logs, streams, &over))
    };
    let mut commits = server.commits();
    // All streams are at work, some twenty lines each, when the policy changes.
    while *commits.borrow_and_update() < 20 * streams as u64 {
        tokio::time::timeout(PATIENCE, commits.changed()).await.context("no lines are stored")??;
    }
    let begun = Instant::now();
    replace(&policy, &variant(1))?;
    let mut pauses = Vec::new();
    while pauses.len() < streams {
        let event = tokio::time::timeout(PATIENCE, events.recv()).await;
        match event.with_context(|| format!("{} of {streams} streams have changed", pauses.len()))? {
            Some(PolicyEvent::Swapped { pause, .. }) => pauses.push(pause.as_secs_f64() * 1000.0),
            Some(PolicyEvent::Loaded { .. }) => {}
            Some(event) => bail!("{event}"),
            None => bail!("the site ended"),
        }
    }
    let took = begun.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    let Ok(written) = writer.join() else { bail!("the writer of the logs failed") };
    let (lines, seconds) = written?;
    // All at once: each looks at its log for a last time after a while.
    running.iter().for_each(Stream::request_stop);
    for stream in running {
        let outcome = stream.finish(PATIENCE).await;
        if outcome.ending != Ending::Complete {
            bail!("{outcome}");
        }
    }
    for number in 0..streams {
        let (job, name) = names(number);
        let sent = fs::read(logs.join(&job).join(&name))?;
        let stored = fs::read(store.join(&job).join("site").join(&name))?;
        if sent != stored || sent.iter().filter(|byte| **byte == b'\n').count() != lines {
            bail!("{job}/{name} is other at the server");
        }
    }
    Ok(Swap { lines_per_second: (lines * streams) as f64 / seconds, took, pauses })
}

/// The job and the name of a log.
fn names(number: usize) -> (String, String) {
    (format!("job-{}", number / LOGS_OF_A_JOB), format!("{}.log", number % LOGS_OF_A_JOB))
}

/// Writes lines to each log in turn, evenly over the time, until told to stop. Returns the lines of each log, and the seconds
/// that it took.
fn write(directory: &Path, logs: usize, over: &AtomicBool) -> Result<(usize, f64)> {
    let open = |number| {
        let (job, name) = names(number);
        fs::OpenOptions::new().append(true).open(directory.join(job).join(name))
    };
    let mut files = (0..logs).map(open).collect::<Result<Vec<_>, _>>()?;
    let lines_at_once = (LINES_PER_SECOND * EACH.as_millis() as usize / 1000 / logs).clamp(1, 10);
    let begun = Instant::now();
    let mut rounds = 0;
    while !over.load(Ordering::Relaxed) {
        for (number, file) in files.iter_mut().enumerate() {
            let mut text = String::new();
            for line in 0..lines_at_once {
                let words = "what a training job says in about so many bytes";
                text += &format!("log {number} round {rounds} line {line}: {words}\n");
            }
            file.write_all(text.as_bytes())?;
        }
        rounds += 1;
        // The pace of the writers.
        std::thread::sleep((EACH * rounds).saturating_sub(begun.elapsed()));
    }
    Ok((rounds as usize * lines_at_once, begun.elapsed().as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a size that any machine bears; how long a pause is says little in an unoptimised build.
    #[tokio::test(flavor = "multi_thread")]
    async fn many_live_streams_change_their_policy_and_lose_nothing() {
        let scratch = tempfile::tempdir().unwrap();
        let swap = run(scratch.path(), 40).await.unwrap();
        assert_eq!(swap.pauses.len(), 40);
        assert!(swap.lines_per_second > 0.0);
    }
}
