//! Reading the logs of a store: a list of them, and their lines as they arrive.
//!
//! The same for an operator on the server's machine, who reads the store's directory, and for one far away, for whom the
//! server reads it: [`list`] and [`tail`] give the messages that [`grpc`](crate::transport::grpc) carries. Who may read
//! is decided before, where the reader comes in.
//!
//! A store is read without a lock and without the server's help, and nothing beyond what is committed is shown.
//!
//! ```
//! use fedtail::names::JobName;
//! use fedtail::reading::{Begin, Selection, tail};
//! use fedtail::store::Reader;
//! # use fedtail::names::{LogKey, LogName, SiteName};
//! # use fedtail::store::{Batch, Durability, Store};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let key = LogKey { job: JobName::new("job-1")?, site: SiteName::new("site-1")?, log: LogName::new("log.txt")? };
//! # let log = Store::open(directory.path(), Durability::Process)?.log(&key)?;
//! # let epoch = log.open_stream(b"instance", b"")?.epoch;
//! # log.commit(epoch, Batch { received: 8, data: vec!["round 1\n".into()], ..Batch::default() })?;
//! # tokio::runtime::Runtime::new()?.block_on(async move {
//! let reader = Reader::open(directory.path())?;
//! let selection = Selection::of_job(JobName::new("job-1")?);
//! let (to, mut chunks) = tokio::sync::mpsc::channel(4);
//! tail(reader, selection, Begin::LastLines(10), None, to).await?;
//! let chunk = chunks.recv().await.expect("the job has a log");
//! assert_eq!((chunk.site.as_str(), &chunk.payload[..]), ("site-1", &b"round 1\n"[..]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })
//! # }
//! ```

mod events;
mod follower;
mod listing;
mod selection;
mod tail;

pub use events::Wakes;
pub use follower::{Begin, Follower};
pub use listing::list;
pub use selection::Selection;
pub use tail::{BEAT, TailError, tail};

/// A task of reading panicked, which is a defect: it goes on as the panic that it is.
fn whole<T>(joined: Result<T, tokio::task::JoinError>) -> Option<T> {
    match joined {
        Ok(value) => Some(value),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is being shut down.
            Err(_) => None,
        },
    }
}
