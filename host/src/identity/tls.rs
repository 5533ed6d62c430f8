//! The files of an identity: a certificate, its key, and the authority that both sides are verified by.

use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Why an identity can't be used: which file, why, and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{role} {file}: {reason}", file = file.display())]
pub struct TlsError {
    role: &'static str,
    file: PathBuf,
    reason: String,
}

/// One side's certificate and key (PEM), and the authority (PEM) that the other side's certificate has to come from.
/// NVIDIA FLARE's `client.crt`, `client.key` and `rootCA.pem` (at a server: `server.crt`, `server.key`) work as they
/// are.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) certificate: Vec<u8>,
    pub(crate) key: Vec<u8>,
    pub(crate) authority: Vec<u8>,
    name: String,
}

impl Credentials {
    /// Reads the three files, and checks that they are what they should be and that the key is the certificate's.
    pub fn read(certificate: &Path, key: &Path, authority: &Path) -> Result<Self, TlsError> {
        let read = |role: &'static str, file: &Path| {
            std::fs::read(file).map_err(|e| TlsError { role, file: file.into(), reason: e.to_string() })
        };
        let certificate_role = "the certificate";
        let certificate_pem = read(certificate_role, certificate)?;
        let key_pem = read("the key", key)?;
        let authority_pem = read("the authority's certificate", authority)?;
        let wrong = |role: &'static str, file: &Path, reason: String| TlsError { role, file: file.into(), reason };

        let chain = CertificateDer::pem_slice_iter(&certificate_pem)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| wrong(certificate_role, certificate, format!("is not PEM: {e}")))?;
        let Some(leaf) = chain.first() else {
            return Err(wrong(certificate_role, certificate, "has no certificate in it".into()));
        };
        let name = super::name_of(leaf).map_err(|e| wrong(certificate_role, certificate, e.to_string()))?;
        let private = PrivateKeyDer::from_pem_slice(&key_pem)
            .map_err(|e| wrong("the key", key, format!("has no private key in PEM: {e}")))?;
        let authorities = CertificateDer::pem_slice_iter(&authority_pem).filter_map(Result::ok).count();
        if authorities == 0 {
            let reason = "has no certificate in PEM".into();
            return Err(wrong("the authority's certificate", authority, reason));
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        rustls::sign::CertifiedKey::from_der(chain, private, &provider).map_err(|e| match e {
            rustls::Error::InconsistentKeys(_) => {
                wrong("the key", key, format!("does not belong to the certificate {}", certificate.display()))
            }
            e => wrong("the key", key, e.to_string()),
        })?;
        Ok(Self { certificate: certificate_pem, key: key_pem, authority: authority_pem, name })
    }

    /// The name in the certificate.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The private key's bytes, to derive other secrets from.
    pub fn secret(&self) -> &[u8] {
        &self.key
    }
}
