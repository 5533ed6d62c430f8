//! `fedtail ls`: lists jobs, sites and logs.

mod row;
mod table;

use std::time::SystemTime;

use clap::Args;
use fedtail::reading;
use fedtail::store::Reader;
use fedtail::transport::grpc::Operator;
use fedtail::wire::LogEntry;
use tokio::sync::mpsc;

use self::row::Row;
use crate::exit::{Exit, Failure};
use crate::out;
use crate::place::{Opened, Place};

/// Entries between reading and keeping.
const WAITING: usize = 4;

/// List jobs, sites and logs: bytes, last heard, state.
///
/// LAST HEARD is how long ago the site gave its last sign of life for this log. STATE is `open` while the stream goes on
/// (`open, no server` where the store's server is not running), then how it ended: complete, incomplete, idle, aborted,
/// superseded or failed; with the number of gaps, if bytes were lost at the source. A log whose journal can't be read is
/// `unreadable`, the reason is on standard error, and the exit code is 1.
#[derive(Args)]
pub struct Options {
    #[command(flatten)]
    place: Place,
    /// Tell also why each stream ended, which gaps it has, and which policy (the first 12 digits of its SHA-256) handled
    /// which bytes.
    #[arg(short, long, conflicts_with = "json")]
    long: bool,
    /// All that is known, as one JSON object a line for each log.
    #[arg(long)]
    json: bool,
}

pub async fn run(options: Options) -> Result<Exit, Failure> {
    let Options { place, long, json } = options;
    let name = place.name();
    let (entries, served) = match place.open().await? {
        Opened::Store(reader) => list_store(reader).await?,
        Opened::Server(operator) => (list_server(*operator).await?, true),
    };
    if entries.is_empty() {
        out::note(format_args!("{name} has no logs yet"));
        return Ok(Exit::Complete);
    }
    let rows: Vec<_> = entries.iter().map(|entry| Row::new(entry, served)).collect();
    if json {
        rows.iter().for_each(|row| out::line(row.json()));
    } else {
        out::line(table::table(&rows, long, SystemTime::now()));
    }
    let mut exit = Exit::Complete;
    for entry in entries.iter().filter(|entry| !entry.unreadable.is_empty()) {
        out::error(crate::escape::escaped(&entry.unreadable));
        exit = Exit::Failed;
    }
    Ok(exit)
}

/// All entries, and whether a server has the store.
async fn list_store(reader: Reader) -> Result<(Vec<LogEntry>, bool), Failure> {
    let served = reader.server_is_running();
    let (to, mut entries) = mpsc::channel(WAITING);
    let listing = tokio::spawn(reading::list(reader, to));
    let mut all = Vec::new();
    while let Some(entry) = entries.recv().await {
        all.push(entry);
    }
    listing.await.map_err(|defect| Failure::start(format!("a defect of fedtail: {defect}")))??;
    Ok((all, served))
}

async fn list_server(mut operator: Operator) -> Result<Vec<LogEntry>, Failure> {
    let mut entries = operator.list().await?;
    let mut all = Vec::new();
    while let Some(entry) = entries.next().await {
        all.push(entry?);
    }
    Ok(all)
}
