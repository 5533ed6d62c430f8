//! Both sides in one process.

use tokio_stream::StreamExt;

use super::{Connecting, Connection, Transport, lanes};
use crate::names::SiteName;
use crate::server::{Peer, Server};

/// Connects to a server of this process, as a site whose name the embedding program vouches for.
pub struct InProcess {
    server: Server,
    site: SiteName,
}

impl InProcess {
    /// Connections to this server, as this site.
    pub fn new(server: &Server, site: SiteName) -> Self {
        Self { server: server.clone(), site }
    }
}

impl Transport for InProcess {
    fn connect(&self) -> Connecting<'_> {
        Box::pin(async {
            let (outgoing, from_site) = lanes();
            let (to_site, incoming) = lanes();
            let server = self.server.clone();
            let peer = Peer::site(self.site.clone());
            tokio::spawn(async move { server.serve(peer, from_site, to_site).await });
            Ok(Connection { outgoing, incoming: Box::pin(incoming.map(Ok)) })
        })
    }

    fn target(&self) -> String {
        "the server in this process".into()
    }
}
