//! The server's end: listens, verifies, and hands connections to the [`Server`].

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;

use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, warn};

use super::failure::innermost;
use crate::identity::{Access, Credentials, name_of};
use crate::names::SiteName;
use crate::server::{Peer, Server};
use crate::transport::lanes;
use crate::wire::link_server::{Link, LinkServer};
use crate::wire::{ServerFrame, SiteFrame};

/// How a server listens.
pub struct ServeOptions {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Without them, only on loopback.
    pub credentials: Option<Credentials>,
    /// What names may do. Without TLS everybody on this machine may do everything.
    pub access: Access,
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("{address} cannot be listened on: {reason}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why, and what to do.
        reason: String,
    },
    /// The address is for others, and there is no TLS.
    #[error(
        "{0} can be reached from other machines, and there is no TLS: give --tls-cert, --tls-key and --client-ca, or \
         listen on 127.0.0.1"
    )]
    Open(SocketAddr),
    /// The credentials are not taken.
    #[error("the certificate or key cannot be used: {0}")]
    Credentials(String),
}

/// A server that listens.
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// Ends when the listener does.
    pub ended: Pin<Box<dyn Future<Output = Result<(), String>> + Send>>,
}

/// Listens for connections to this server. They are served while [`Listening::ended`] is awaited; to end, drop it.
pub async fn serve(server: &Server, options: ServeOptions) -> Result<Listening, ServeError> {
    if options.credentials.is_none() && !options.listen.ip().is_loopback() {
        return Err(ServeError::Open(options.listen));
    }
    let listen_error = |e: std::io::Error| ServeError::Listen {
        address: options.listen,
        reason: match e.kind() {
            std::io::ErrorKind::AddrInUse => "another program uses this port; choose another one or end it".into(),
            _ => e.to_string(),
        },
    };
    let listener = tokio::net::TcpListener::bind(options.listen).await.map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    let mut builder = tonic::transport::Server::builder()
        .initial_stream_window_size(super::STREAM_WINDOW)
        .initial_connection_window_size(super::CONNECTION_WINDOW)
        .max_frame_size(super::HTTP2_FRAME)
        // A peer that is gone without a word is noticed, so that nothing waits for it for ever.
        .http2_keepalive_interval(Some(super::KEEPALIVE))
        .http2_keepalive_timeout(Some(super::KEEPALIVE));
    let has_tls = options.credentials.is_some();
    if let Some(credentials) = &options.credentials {
        let tls = ServerTlsConfig::new()
            .identity(Identity::from_pem(&credentials.certificate, &credentials.key))
            .client_ca_root(Certificate::from_pem(&credentials.authority));
        builder = builder.tls_config(tls).map_err(|e| ServeError::Credentials(innermost(&e)))?;
    }
    let gate = Gate { has_tls, access: options.access };
    let link = LinkServer::new(LinkService { server: server.clone(), gate })
        .max_decoding_message_size(super::MESSAGE)
        .max_encoding_message_size(super::MESSAGE);
    let incoming = TcpListenerStream::new(listener).map(|connection| {
        // Lines are small and must not wait for the next one.
        connection.inspect(|connection| drop(connection.set_nodelay(true)))
    });
    let router = builder.add_service(link);
    let ended = async move { router.serve_with_incoming(incoming).await.map_err(|e| innermost(&e)) };
    Ok(Listening { address, ended: Box::pin(ended) })
}

/// Who comes in.
#[derive(Clone)]
pub(super) struct Gate {
    has_tls: bool,
    access: Access,
}

impl Gate {
    /// The name in the peer's certificate; none without TLS.
    fn name<T>(&self, request: &Request<T>) -> Result<Option<String>, Status> {
        if !self.has_tls {
            return Ok(None);
        }
        // The handshake has verified it: without a certificate there is no connection.
        let certificates = request.peer_certs();
        let leaf = certificates.as_ref().and_then(|chain| chain.first());
        let leaf = leaf.ok_or_else(|| Status::unauthenticated("no certificate was shown"))?;
        name_of(leaf).map(Some).map_err(|e| Status::unauthenticated(e.to_string()))
    }

    fn site<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
        let Some(name) = self.name(request)? else { return Ok(Peer::unverified()) };
        if !self.access.may_write(&name) {
            warn!("{name:?} tried to write, and is not among the sites");
            return Err(Status::permission_denied(format!(
                "the certificate's name {name:?} is not one that may write logs here; the server's operator says which do \
                 with --site-names"
            )));
        }
        let site = SiteName::new(name).map_err(|e| Status::permission_denied(e.to_string()))?;
        Ok(Peer::site(site))
    }

    /// Whether the peer may read.
    pub(super) fn operator<T>(&self, request: &Request<T>) -> Result<(), Status> {
        match self.name(request)? {
            Some(name) if !self.access.may_read(&name) => {
                warn!("{name:?} tried to read, and is no operator");
                Err(Status::permission_denied(format!(
                    "the certificate's name {name:?} is no operator's; the server is told its operators with --operator"
                )))
            }
            _ => Ok(()),
        }
    }
}

struct LinkService {
    server: Server,
    gate: Gate,
}

#[tonic::async_trait]
impl Link for LinkService {
    type ConnectStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<ServerFrame, Status>> + Send>>;

    async fn connect(&self, request: Request<Streaming<SiteFrame>>) -> Result<Response<Self::ConnectStream>, Status> {
        let peer = self.gate.site(&request)?;
        let (to_site, frames) = lanes();
        let server = self.server.clone();
        // A connection that breaks ends the frames; why it broke is for those who debug.
        let from_site =
            request.into_inner().map_while(|frame| frame.inspect_err(|e| debug!("a connection broke: {e}")).ok());
        tokio::spawn(async move { server.serve(peer, from_site, to_site).await });
        Ok(Response::new(Box::pin(frames.map(Ok))))
    }
}
