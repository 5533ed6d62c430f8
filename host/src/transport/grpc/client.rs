//! The site's end.

use tokio_stream::StreamExt;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity, Uri};

use super::failure::{connect_error, innermost};
use super::probe::refusal;
use crate::identity::Credentials;
use crate::transport::{ConnectError, Connecting, Connection, Transport, lanes};
use crate::wire::link_client::LinkClient;

/// A URL that can't be used, or does not fit the credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server's URL {url:?} cannot be used: {reason}")]
pub struct UrlError {
    url: String,
    reason: String,
}

/// Connects to a server by URL: `https://` with credentials, `http://` without, which only servers on this machine's
/// loopback answer.
pub struct GrpcTransport {
    endpoint: Endpoint,
    url: String,
    credentials: Option<Credentials>,
}

impl GrpcTransport {
    /// Checks the URL; connects to nothing yet.
    pub fn new(url: &str, credentials: Option<&Credentials>) -> Result<Self, UrlError> {
        Ok(Self { endpoint: endpoint(url, credentials)?, url: url.into(), credentials: credentials.cloned() })
    }

    async fn open(&self) -> Result<Connection, ConnectError> {
        let channel = self.endpoint.connect().await.map_err(|e| connect_error(&self.url, &e))?;
        let mut client = LinkClient::new(channel).max_decoding_message_size(super::MESSAGE);
        let (outgoing, frames) = lanes();
        let status = |status: &tonic::Status| match status.code() {
            tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => {
                ConnectError::Untrusted(status.message().into())
            }
            tonic::Code::Unimplemented => ConnectError::Untrusted("no fedtail server answers there".into()),
            _ => connect_error(&self.url, status),
        };
        let answer = client.connect(frames).await.map_err(|e| status(&e))?;
        let url = self.url.clone();
        let incoming = answer.into_inner().map(move |frame| frame.map_err(|status| connect_error(&url, &status)));
        Ok(Connection { outgoing, incoming: Box::pin(incoming) })
    }

    /// A connection that broke while it was made can be a certificate that the server does not take.
    async fn explained(&self, error: ConnectError) -> ConnectError {
        let (ConnectError::Unreachable(_), Some(credentials)) = (&error, self.credentials.clone()) else {
            return error;
        };
        let url = self.url.clone();
        match tokio::task::spawn_blocking(move || refusal(&url, &credentials)).await {
            Ok(Some(refusal)) => connect_error(&self.url, &refusal),
            Ok(None) | Err(_) => error,
        }
    }
}

/// Where to connect to and how, for sites and operators.
pub(super) fn endpoint(url: &str, credentials: Option<&Credentials>) -> Result<Endpoint, UrlError> {
    let error = |reason: String| UrlError { url: url.into(), reason };
    let uri: Uri = url.parse().map_err(|_| error("it is no URL; give one like https://server.example:7443".into()))?;
    let host = uri.host().ok_or_else(|| error("it names no host; give one like https://server.example:7443".into()))?;
    if uri.path() != "/" && !uri.path().is_empty() {
        return Err(error("a path means nothing here; leave it out".into()));
    }
    match (uri.scheme_str(), credentials) {
        (Some("https"), Some(_)) => {}
        (Some("https"), None) => return Err(error("https:// needs --ca, --cert and --key".into())),
        (Some("http"), None) => {
            let loopback = host == "localhost"
                || host.trim_matches(['[', ']']).parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
            if !loopback {
                return Err(error("without TLS only this machine's loopback is used; use https://".into()));
            }
        }
        (Some("http"), Some(_)) => return Err(error("http:// does not use the certificate; write https://".into())),
        _ => return Err(error("it has to begin with https:// or http://".into())),
    }
    let mut endpoint = Endpoint::from(uri.clone())
        .initial_stream_window_size(super::STREAM_WINDOW)
        .initial_connection_window_size(super::CONNECTION_WINDOW)
        .tcp_nodelay(true);
    if let Some(credentials) = credentials {
        let tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(&credentials.authority))
            .identity(Identity::from_pem(&credentials.certificate, &credentials.key));
        endpoint = endpoint.tls_config(tls).map_err(|e| error(innermost(&e)))?;
    }
    Ok(endpoint)
}

impl Transport for GrpcTransport {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            match self.open().await {
                Ok(connection) => Ok(connection),
                Err(error) => Err(self.explained(error).await),
            }
        })
    }

    fn target(&self) -> String {
        self.url.clone()
    }
}
