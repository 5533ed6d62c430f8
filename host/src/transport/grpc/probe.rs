//! Finding out why a server ended a connection.
//!
//! In TLS 1.3 a client has finished its handshake before the server looks at its certificate. A client that goes on to
//! write then often finds the connection closed, and the server's reason is lost. So it is asked for once more, by a
//! client that writes nothing and waits.

use std::io::Read;
use std::net::{TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tonic::transport::Uri;

use crate::identity::Credentials;

/// How long each step may take; who asks has been told already that there is no connection.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why one side refuses the other; none if neither does, or it can't be found out. Blocks on the network.
pub fn refusal(url: &str, credentials: &Credentials) -> Option<rustls::Error> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']);
    let address = (host, uri.port_u16().unwrap_or(443)).to_socket_addrs().ok()?.next()?;
    let name = ServerName::try_from(host.to_owned()).ok()?;
    let connection = ClientConnection::new(Arc::new(config(credentials)?), name).ok()?;
    let socket = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    // A server that takes the certificate begins to speak HTTP/2 by itself.
    let error = StreamOwned::new(connection, socket).read(&mut [0]).err()?;
    error.get_ref()?.downcast_ref::<rustls::Error>().cloned()
}

fn config(credentials: &Credentials) -> Option<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(CertificateDer::pem_slice_iter(&credentials.authority).filter_map(Result::ok));
    let chain = CertificateDer::pem_slice_iter(&credentials.certificate).collect::<Result<_, _>>().ok()?;
    let key = PrivateKeyDer::from_pem_slice(&credentials.key).ok()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    let mut config = builder.with_root_certificates(roots).with_client_auth_cert(chain, key).ok()?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    Some(config)
}
