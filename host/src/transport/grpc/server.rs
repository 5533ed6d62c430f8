//! The server's end: listens, verifies, and hands connections to the [`Server`].

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};
use tracing::{debug, warn};

use super::failure::innermost;
use super::gate::Gate;
use super::reading::ReadingService;
use crate::identity::{Access, Credentials};
use crate::server::Server;
use crate::transport::lanes;
use crate::wire::link_server::{Link, LinkServer};
use crate::wire::reading_server::ReadingServer;
use crate::wire::{ServerFrame, SiteFrame};

/// How long a listener waits after a connection that it could not take: long enough to cost nothing, and short beside
/// the wait of a site for an answer.
const ACCEPT_AGAIN: Duration = Duration::from_millis(200);

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
    let listen_error = |e: io::Error| ServeError::Listen {
        address: options.listen,
        reason: match e.kind() {
            io::ErrorKind::AddrInUse => "another program uses this port; choose another one or end it".into(),
            _ => e.to_string(),
        },
    };
    let listener = TcpListener::bind(options.listen).await.map_err(listen_error)?;
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
    let link = LinkServer::new(LinkService { server: server.clone(), gate: gate.clone() })
        .max_decoding_message_size(super::MESSAGE)
        .max_encoding_message_size(super::MESSAGE);
    let reading = ReadingServer::new(ReadingService { server: server.clone(), gate });
    let incoming = connections(listener);
    let router = builder.add_service(link).add_service(reading);
    let closing = server.closing();
    let ended = async move { router.serve_with_incoming_shutdown(incoming, closing).await.map_err(|e| innermost(&e)) };
    Ok(Listening { address, ended: Box::pin(ended) })
}

/// The connections that are made to this listener. While none can be taken (there is no descriptor left), those that
/// were made wait, which is said once, and not in a loop that keeps a processor busy.
fn connections(listener: TcpListener) -> impl Stream<Item = io::Result<TcpStream>> {
    let mut failing = false;
    TcpListenerStream::new(listener).then(move |connection| {
        let failed_before = std::mem::replace(&mut failing, connection.is_err());
        async move {
            match &connection {
                // Lines are small and must not wait for the next one.
                Ok(connection) => drop(connection.set_nodelay(true)),
                Err(error) => {
                    if !failed_before {
                        warn!("no connection can be taken: {error}; those that are made wait until one can be");
                    }
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
            connection
        }
    })
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
