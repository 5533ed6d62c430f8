//! The operator's end.

use std::error::Error;
use std::time::Duration;

use tonic::transport::Channel;
use tonic::{Code, Response, Status, Streaming};

use super::client::{UrlError, endpoint};
use super::failure::{connect_error, innermost};
use super::probe::refusal;
use crate::identity::Credentials;
use crate::names::{LogName, SiteName};
use crate::reading::{BEAT, Begin, Selection};
use crate::transport::ConnectError;
use crate::wire::reading_client::ReadingClient;
use crate::wire::{self, ListRequest, LogEntry, TailChunk, TailRequest};

/// How long a server may take to answer at first; one that is not there is said so before somebody gives up waiting.
const CONNECT: Duration = Duration::from_secs(10);
/// After how much silence of a tail that follows the server counts as gone: several signs of life were missed.
const SILENCE: Duration = BEAT.saturating_mul(6);

/// Why an operator is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// The URL can't be used.
    #[error(transparent)]
    Url(#[from] UrlError),
    /// There is no connection, or not any more.
    #[error("{0}")]
    Unreachable(String),
    /// One side does not trust the other, this name may not read, or the server speaks another version; in words.
    #[error("{0}")]
    Refused(String),
    /// The server can't give what was asked for; its words.
    #[error("{0}")]
    Failed(String),
}

impl From<ConnectError> for OperatorError {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Unreachable(words) => Self::Unreachable(words),
            ConnectError::Untrusted(words) => Self::Refused(words),
        }
    }
}

/// A connection to a server, to read its logs.
pub struct Operator {
    client: ReadingClient<Channel>,
    url: String,
    credentials: Option<Credentials>,
}

impl Operator {
    /// Connects to `https://` with credentials, or to `http://` without, which only servers on this machine's loopback
    /// answer.
    pub async fn connect(url: &str, credentials: Option<&Credentials>) -> Result<Self, OperatorError> {
        let channel = endpoint(url, credentials)?.connect_timeout(CONNECT).connect().await;
        let channel = channel.map_err(|error| connect_error(url, &error))?;
        let client = ReadingClient::new(channel).max_decoding_message_size(super::MESSAGE);
        Ok(Self { client, url: url.into(), credentials: credentials.cloned() })
    }

    /// All logs of the server, in order of job, site and log.
    pub async fn list(&mut self) -> Result<Answers<LogEntry>, OperatorError> {
        let answer = self.client.list(ListRequest { version: wire::VERSION }).await;
        self.answers(answer, None).await
    }

    /// The selected logs' bytes, as [`reading::tail`](crate::reading::tail) gives them. One that follows and hears nothing
    /// more of the server ends with [`OperatorError::Unreachable`].
    pub async fn tail(
        &mut self,
        selection: &Selection,
        begin: Begin,
        follow: bool,
    ) -> Result<Answers<TailChunk>, OperatorError> {
        let text = |name: Option<&str>| name.unwrap_or_default().to_owned();
        let request = TailRequest {
            version: wire::VERSION,
            job: selection.job.to_string(),
            site: text(selection.site.as_ref().map(SiteName::as_str)),
            log: text(selection.log.as_ref().map(LogName::as_str)),
            lines: match begin {
                Begin::LastLines(lines) => Some(lines),
                Begin::Beginning => None,
            },
            follow,
        };
        let answer = self.client.tail(request).await;
        self.answers(answer, follow.then_some(SILENCE)).await
    }

    async fn answers<T>(
        &self,
        answer: Result<Response<Streaming<T>>, Status>,
        silence: Option<Duration>,
    ) -> Result<Answers<T>, OperatorError> {
        match answer {
            Ok(answer) => Ok(Answers { stream: answer.into_inner(), silence, url: self.url.clone() }),
            Err(status) => Err(self.explained(failure(&self.url, &status)).await),
        }
    }

    /// A connection that broke before anything was answered can be a certificate that the server does not take.
    async fn explained(&self, error: OperatorError) -> OperatorError {
        let (OperatorError::Unreachable(_), Some(credentials)) = (&error, self.credentials.clone()) else {
            return error;
        };
        let url = self.url.clone();
        match tokio::task::spawn_blocking(move || refusal(&url, &credentials)).await {
            Ok(Some(refusal)) => connect_error(&self.url, &refusal).into(),
            Ok(None) | Err(_) => error,
        }
    }
}

/// What a server answers, one by one.
pub struct Answers<T> {
    stream: Streaming<T>,
    silence: Option<Duration>,
    url: String,
}

impl<T> Answers<T> {
    /// The next one; none at the end. Nothing follows an error.
    pub async fn next(&mut self) -> Option<Result<T, OperatorError>> {
        let next = self.stream.message();
        let next = match self.silence {
            None => next.await,
            Some(silence) => match tokio::time::timeout(silence, next).await {
                Ok(next) => next,
                Err(_) => {
                    let words = format!("{} has not been heard for {} s", self.url, silence.as_secs());
                    return Some(Err(OperatorError::Unreachable(words)));
                }
            },
        };
        next.map_err(|status| failure(&self.url, &status)).transpose()
    }
}

/// What a status means: the server's own words, or those of a connection that broke.
fn failure(url: &str, status: &Status) -> OperatorError {
    let words = || status.message().to_owned();
    match status.code() {
        Code::PermissionDenied | Code::Unauthenticated | Code::FailedPrecondition | Code::InvalidArgument => {
            OperatorError::Refused(words())
        }
        Code::NotFound | Code::Internal if status.source().is_none() => OperatorError::Failed(words()),
        Code::Unimplemented => OperatorError::Refused(format!("no fedtail server that can be read answers at {url}")),
        _ => match connect_error(url, status) {
            ConnectError::Untrusted(words) => OperatorError::Refused(words),
            ConnectError::Unreachable(_) => {
                OperatorError::Unreachable(format!("the connection to {url} broke: {}", innermost(status)))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_words_and_those_of_a_broken_connection_are_told_apart() {
        let url = "http://127.0.0.1:1";
        let refused = |words: &str| OperatorError::Refused(words.into());
        assert_eq!(failure(url, &Status::permission_denied("no operator")), refused("no operator"));
        assert_eq!(failure(url, &Status::failed_precondition("version 9")), refused("version 9"));
        assert_eq!(failure(url, &Status::not_found("no log")), OperatorError::Failed("no log".into()));
        let broken = Status::from_error(std::io::Error::other("broken pipe").into());
        let OperatorError::Unreachable(words) = failure(url, &broken) else { panic!("{broken}") };
        assert_eq!(words, "the connection to http://127.0.0.1:1 broke: broken pipe");
        let distrusted = Status::from_error(std::io::Error::other("received fatal alert: UnknownCA").into());
        assert!(matches!(failure(url, &distrusted), OperatorError::Refused(words) if words.contains("authority")));
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_and_a_url_that_is_none_are_said_so() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let error = Operator::connect(&format!("http://{free}"), None).await.err().unwrap();
        assert!(matches!(&error, OperatorError::Unreachable(words) if words.contains(&free.to_string())), "{error}");
        let error = Operator::connect("server", None).await.err().unwrap();
        assert!(matches!(error, OperatorError::Url(_)), "{error}");
    }
}
