//! Where logs are read: in a store's directory on this machine, or at a server.

use std::path::{Path, PathBuf};

use clap::Args;
use fedtail::store::Reader;
use fedtail::transport::grpc::{Operator, OperatorError};

use crate::credentials;
use crate::exit::Failure;

#[derive(Args)]
pub struct Place {
    /// The directory of a store on this machine, also while no server runs.
    #[arg(long, value_name = "DIR", required_unless_present = "server", conflicts_with = "server")]
    store: Option<PathBuf>,
    /// The server: https://HOST:PORT, or http:// to a server on this machine.
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// The authority that the server's certificate has to come from (PEM); FLARE: rootCA.pem.
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    ca: Option<PathBuf>,
    /// An operator's certificate (PEM), with a name that the server was given with --operator.
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, value_name = "FILE", conflicts_with = "store")]
    key: Option<PathBuf>,
}

/// A place that is open.
pub enum Opened {
    Store(Reader),
    Server(Box<Operator>),
}

impl Place {
    /// What to call it.
    pub fn name(&self) -> String {
        match (&self.store, &self.server) {
            (Some(store), _) => format!("the store {}", store.display()),
            (None, server) => format!("the server {}", server.as_deref().unwrap_or_default()),
        }
    }

    pub async fn open(self) -> Result<Opened, Failure> {
        match (self.store, self.server) {
            (None, Some(url)) => {
                let credentials = credentials::read(self.cert, self.key, self.ca, ["--cert", "--key", "--ca"])?;
                Ok(Opened::Server(Box::new(Operator::connect(&url, credentials.as_ref()).await?)))
            }
            (Some(store), None) => Ok(Opened::Store(open_store(&store)?)),
            _ => Err(Failure::usage("give --store or --server, one of both")),
        }
    }
}

fn open_store(store: &Path) -> Result<Reader, Failure> {
    match std::fs::metadata(store) {
        Ok(found) if found.is_dir() => Ok(Reader::open(store)?),
        Ok(_) => Err(Failure::start(format!("{} is not a store: it is no directory", store.display()))),
        Err(e) => {
            let advice = "give the directory that `fedtail server` has as --store";
            Err(Failure::start(format!("the store {} cannot be opened: {e}: {advice}", store.display())))
        }
    }
}

impl From<OperatorError> for Failure {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Url(error) => Self::usage(error),
            OperatorError::Refused(words) => Self::refused(words),
            OperatorError::Unreachable(words) | OperatorError::Failed(words) => Self::start(words),
        }
    }
}
