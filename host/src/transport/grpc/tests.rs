//! Who may read over the network, by certificates as they are in use.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;

use super::*;
use crate::identity::{Access, Credentials};
use crate::names::{JobName, LogKey, LogName, SiteName};
use crate::reading::{Begin, Selection};
use crate::server::Server;
use crate::store::{Batch, Durability, Store};
use crate::wire::reading_client::ReadingClient;
use crate::wire::{self, ListRequest, LogEntry, TailRequest};

/// Makes certificates.
struct Authority {
    directory: TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { directory: tempfile::tempdir().unwrap(), issuer }
    }

    /// An identity of this authority, that trusts `trusted`.
    fn identity(&self, name: &str, trusted: &Authority) -> Credentials {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let file = |kind: &str, pem: String| {
            let path = self.directory.path().join(format!("{name}.{kind}"));
            std::fs::write(&path, pem).unwrap();
            path
        };
        let authority = file("ca", trusted.issuer.pem());
        Credentials::read(&file("crt", certificate.pem()), &file("key", key.serialize_pem()), &authority).unwrap()
    }
}

/// A server that has one log, of `job-1` at `site-1`; its store's directory must outlive it.
async fn server(store: &Path, credentials: Option<Credentials>) -> String {
    {
        let names = (JobName::new("job-1").unwrap(), SiteName::new("site-1").unwrap(), LogName::new("log").unwrap());
        let key = LogKey { job: names.0, site: names.1, log: names.2 };
        let log = Store::open(store, Durability::Process).unwrap().log(&key).unwrap();
        let epoch = log.open_stream(b"instance", b"").unwrap().epoch;
        log.commit(epoch, Batch { received: 4, data: vec!["one\n".into()], ..Batch::default() }).unwrap();
    }
    let server = Server::builder(store).start().unwrap();
    let has_tls = credentials.is_some();
    let access = Access::new(["admin".to_owned()], &[]).unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let listening = serve(&server, ServeOptions { listen, credentials, access }).await.unwrap();
    let port = listening.address.port();
    tokio::spawn(listening.ended);
    if has_tls { format!("https://localhost:{port}") } else { format!("http://localhost:{port}") }
}

async fn list(url: &str, credentials: Option<&Credentials>) -> Result<Vec<LogEntry>, OperatorError> {
    let mut entries = Operator::connect(url, credentials).await?.list().await?;
    let mut all = Vec::new();
    while let Some(entry) = entries.next().await {
        all.push(entry?);
    }
    Ok(all)
}

#[tokio::test]
async fn an_operator_reads_and_a_site_does_not() {
    let (authority, store) = (Authority::new(), tempfile::tempdir().unwrap());
    let url = server(store.path(), Some(authority.identity("localhost", &authority))).await;
    let operator = authority.identity("admin", &authority);
    let entries = list(&url, Some(&operator)).await.unwrap();
    assert_eq!(entries.iter().map(|entry| (entry.site.as_str(), entry.stored)).collect::<Vec<_>>(), [("site-1", 4)]);

    let job = Selection::of_job(JobName::new("job-1").unwrap());
    let mut reading = Operator::connect(&url, Some(&operator)).await.unwrap();
    let mut chunks = reading.tail(&job, Begin::LastLines(10), false).await.unwrap();
    assert_eq!(&chunks.next().await.unwrap().unwrap().payload[..], b"one\n");
    assert!(chunks.next().await.is_none());

    let site = authority.identity("site-1", &authority);
    let refused = list(&url, Some(&site)).await.unwrap_err();
    assert!(matches!(&refused, OperatorError::Refused(words) if words.contains("no operator's")), "{refused}");
    let mut reading = Operator::connect(&url, Some(&site)).await.unwrap();
    let refused = reading.tail(&job, Begin::Beginning, true).await.err();
    assert!(matches!(&refused, Some(OperatorError::Refused(words)) if words.contains("--operator")), "{refused:?}");
}

/// Each time, although the server's reason often gets lost when the connection breaks.
#[tokio::test]
async fn a_certificate_of_another_authority_is_refused_in_words() {
    let (authority, other, store) = (Authority::new(), Authority::new(), tempfile::tempdir().unwrap());
    let url = server(store.path(), Some(authority.identity("localhost", &authority))).await;
    let stranger = other.identity("admin", &authority);
    for _ in 0..10 {
        let refused = list(&url, Some(&stranger)).await.unwrap_err();
        assert!(matches!(&refused, OperatorError::Refused(words) if words.contains("does not take")), "{refused}");
    }
    let distrusting = authority.identity("admin", &other);
    let refused = list(&url, Some(&distrusting)).await.unwrap_err();
    assert!(matches!(&refused, OperatorError::Refused(words) if words.contains("--ca")), "{refused}");
}

#[tokio::test]
async fn another_version_a_bad_name_and_a_log_that_is_not_there_are_refused_in_words() {
    let store = tempfile::tempdir().unwrap();
    let url = server(store.path(), None).await;
    let mut client = ReadingClient::new(client::endpoint(&url, None).unwrap().connect().await.unwrap());
    let status = client.list(ListRequest { version: 7 }).await.err().unwrap();
    assert_eq!(status.code(), tonic::Code::FailedPrecondition);
    assert!(status.message().starts_with("version 7 of the wire format was asked for"), "{status}");
    let request = TailRequest { version: wire::VERSION, job: "../..".into(), ..TailRequest::default() };
    let status = client.tail(request.clone()).await.err().unwrap();
    assert_eq!(status.code(), tonic::Code::InvalidArgument, "{status}");
    let mut answers = client.tail(TailRequest { job: "job-2".into(), ..request }).await.unwrap().into_inner();
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound);
    assert!(status.message().contains("has no log of job job-2"), "{status}");
}
