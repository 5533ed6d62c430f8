//! Who comes in: sites to write, operators to read.

use tonic::{Request, Status};
use tracing::warn;

use crate::identity::{Access, name_of};
use crate::names::SiteName;
use crate::server::Peer;

/// Knows who may do what.
#[derive(Clone)]
pub struct Gate {
    /// Whether the listener has verified a certificate of each peer.
    pub has_tls: bool,
    /// What the names in certificates may do.
    pub access: Access,
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

    /// The site that a peer writes as.
    pub fn site<T>(&self, request: &Request<T>) -> Result<Peer, Status> {
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
    pub fn operator<T>(&self, request: &Request<T>) -> Result<(), Status> {
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
