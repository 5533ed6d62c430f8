//! Logs of a store as they are stored, for Python to iterate over.

use std::sync::Arc;

use fedtail::names::{JobName, LogName, SiteName};
use fedtail::reading::{self, Begin, Selection, Wakes};
use fedtail::server;
use fedtail::store::Reader;
use fedtail::wire::TailChunk;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use tokio::sync::{Mutex, mpsc};

use crate::process::{Kept, Process};
use crate::waiting::wait;

/// Chunks between reading and Python.
const WAITING: usize = 4;

/// Bytes of one log, in order; or words about it. See `_native.pyi`.
#[pyclass(frozen, get_all, module = "fedtail")]
#[derive(Clone)]
pub struct Chunk {
    site: String,
    log: String,
    data: Vec<u8>,
    ended: bool,
    note: String,
}

#[pymethods]
impl Chunk {
    fn __repr__(&self) -> String {
        format!("<fedtail.Chunk: {}/{}, {} bytes>", self.site, self.log, self.data.len())
    }
}

impl From<TailChunk> for Chunk {
    fn from(chunk: TailChunk) -> Self {
        let TailChunk { site, log, payload, ended, note } = chunk;
        Self { site, log, data: payload.into(), ended, note }
    }
}

type Told = Result<TailChunk, String>;

/// See `_native.pyi`.
#[pyclass(frozen, module = "fedtail")]
pub struct Tail {
    chunks: Kept<Arc<Mutex<mpsc::Receiver<Told>>>>,
}

impl Tail {
    /// Begins to read the logs of this server's store that were asked for; with `follow` until the server is closed.
    pub fn begin(
        process: &Process,
        server: &server::Server,
        (job, site, log): (JobName, Option<SiteName>, Option<LogName>),
        follow: bool,
    ) -> PyResult<Self> {
        let reader = Reader::open(&server.store_directory()).map_err(|error| PyOSError::new_err(error.to_string()))?;
        let selection = Selection { job, site, log };
        let wakes = follow.then(|| Wakes::commits(server.commits()));
        let closing = server.closing();
        let (to, chunks) = mpsc::channel(WAITING);
        process.handle().spawn(async move {
            let (passed, mut read) = mpsc::channel(1);
            let tail = tokio::spawn(reading::tail(reader, selection, Begin::Beginning, wakes, passed));
            tokio::pin!(closing);
            loop {
                let chunk = tokio::select! {
                    chunk = read.recv() => chunk,
                    () = &mut closing => return,
                };
                let Some(chunk) = chunk else { break };
                if to.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
            // A task that is cancelled was cancelled with the runtime.
            if let Ok(Err(error)) = tail.await {
                let _ = to.send(Err(error.to_string())).await;
            }
        });
        Ok(Self { chunks: Kept::new(Arc::new(Mutex::new(chunks))) })
    }
}

#[pymethods]
impl Tail {
    fn __iter__(this: PyRef<'_, Self>) -> PyRef<'_, Self> {
        this
    }

    fn __next__(&self, py: Python<'_>) -> PyResult<Option<Chunk>> {
        loop {
            let chunks = self.chunks.get()?.clone();
            match wait(py, async move { chunks.lock().await.recv().await })? {
                None => return Ok(None),
                // A sign that all is well, for connections.
                Some(Ok(beat)) if beat.payload.is_empty() && !beat.ended && beat.note.is_empty() => {}
                Some(Ok(chunk)) => return Ok(Some(chunk.into())),
                Some(Err(words)) => return Err(PyOSError::new_err(words)),
            }
        }
    }

    fn __repr__(&self) -> &'static str {
        "<fedtail.Tail>"
    }
}
