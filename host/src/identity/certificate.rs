//! The name in a certificate.

use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Why a certificate gives no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// It can't be parsed.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
    /// It has neither a DNS name nor a common name.
    #[error("the certificate has neither a DNS name nor a common name")]
    Nameless,
}

/// The name that a certificate (DER) gives its holder: its first DNS name, else its common name. This is how NVIDIA
/// FLARE's startup kits name sites and servers.
pub fn name_of(certificate: &[u8]) -> Result<String, CertificateError> {
    let (_, certificate) =
        X509Certificate::from_der(certificate).map_err(|e| CertificateError::Unreadable(e.to_string()))?;
    let alternative =
        certificate.subject_alternative_name().map_err(|e| CertificateError::Unreadable(e.to_string()))?;
    let dns =
        alternative.into_iter().flat_map(|extension| &extension.value.general_names).find_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        });
    let common = || certificate.subject().iter_common_name().find_map(|name| name.as_str().ok()).map(str::to_owned);
    dns.or_else(common).ok_or(CertificateError::Nameless)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(common_name: Option<&str>, dns: &[&str]) -> Vec<u8> {
        let names: Vec<_> = dns.iter().map(|&name| name.to_owned()).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        if let Some(name) = common_name {
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_first_dns_name_counts_else_the_common_name() {
        assert_eq!(name_of(&certificate(Some("site-1"), &[])).unwrap(), "site-1");
        assert_eq!(name_of(&certificate(Some("x"), &["site-2", "site-3"])).unwrap(), "site-2");
        assert_eq!(name_of(&certificate(None, &[])), Err(CertificateError::Nameless));
        assert!(matches!(name_of(b"no certificate"), Err(CertificateError::Unreadable(_))));
    }
}
