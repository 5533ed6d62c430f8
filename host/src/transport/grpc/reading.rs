//! The service that operators read from.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use tracing::warn;

use super::gate::Gate;
use crate::reading::{self, Begin, Selection, TailError, Wakes};
use crate::server::Server;
use crate::store::{Reader, StoreError};
use crate::wire::reading_server::Reading;
use crate::wire::{self, ListRequest, LogEntry, TailChunk, TailRequest};

/// Answers that wait for a client that is slow. Few, since each can hold a piece of a log.
const WAITING: usize = 4;

type Answers<T> = Pin<Box<dyn tokio_stream::Stream<Item = Result<T, Status>> + Send>>;

pub struct ReadingService {
    pub server: Server,
    pub gate: Gate,
}

impl ReadingService {
    async fn reader(&self) -> Result<Reader, Status> {
        let directory = self.server.store_directory();
        let opened = tokio::task::spawn_blocking(move || Reader::open(&directory)).await;
        opened.map_err(|defect| Status::internal(defect.to_string()))?.map_err(|error| unreadable(&error))
    }
}

#[tonic::async_trait]
impl Reading for ReadingService {
    type ListStream = Answers<LogEntry>;
    type TailStream = Answers<TailChunk>;

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<Self::ListStream>, Status> {
        self.gate.operator(&request)?;
        check_version(request.get_ref().version)?;
        let reader = self.reader().await?;
        let (to, entries) = mpsc::channel(WAITING);
        let list = async move { reading::list(reader, to).await.map_err(|error| unreadable(&error)) };
        Ok(answers(entries, list))
    }

    async fn tail(&self, request: Request<TailRequest>) -> Result<Response<Self::TailStream>, Status> {
        self.gate.operator(&request)?;
        let request = request.into_inner();
        check_version(request.version)?;
        let selection = Selection::asked_for(&request).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let begin = request.lines.map_or(Begin::Beginning, Begin::LastLines);
        let wakes = request.follow.then(|| Wakes::commits(self.server.commits()));
        let reader = self.reader().await?;
        let (to, chunks) = mpsc::channel(WAITING);
        let tail = async move {
            reading::tail(reader, selection, begin, wakes, to).await.map_err(|error| match error {
                TailError::NoLog { .. } => Status::not_found(error.to_string()),
                TailError::Store(error) => unreadable(&error),
            })
        };
        Ok(answers(chunks, tail))
    }
}

/// Sends what comes through the channel from `work`, which ends when the client has gone; then its error, if it has one.
fn answers<T: Send + 'static>(
    answers: mpsc::Receiver<T>,
    work: impl Future<Output = Result<(), Status>> + Send + 'static,
) -> Response<Answers<T>> {
    let (failed, failure) = mpsc::channel(1);
    tokio::spawn(async move {
        if let Err(status) = work.await {
            // Nobody is there to be told if the client has gone.
            let _ = failed.send(Err(status)).await;
        }
    });
    let answers = ReceiverStream::new(answers).map(Ok);
    Response::new(Box::pin(answers.chain(ReceiverStream::new(failure))))
}

fn check_version(asked: u32) -> Result<(), Status> {
    if asked == wire::VERSION {
        return Ok(());
    }
    Err(Status::failed_precondition(format!(
        "version {asked} of the wire format was asked for, and this server ({}) speaks version {}: use a fedtail that \
         speaks the same",
        wire::SOFTWARE,
        wire::VERSION
    )))
}

fn unreadable(error: &StoreError) -> Status {
    warn!("an operator's question could not be answered: {error}");
    Status::internal(error.to_string())
}
