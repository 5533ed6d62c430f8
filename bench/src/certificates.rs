//! Throw-away certificates: one authority, a server and a site, for all who are measured.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

/// The name of the site, under which a server files its logs.
pub const SITE: &str = "site-1";

/// Files in PEM.
#[derive(Debug, Clone)]
pub struct Certificates {
    /// The authority of both.
    pub authority: PathBuf,
    /// The server, which is `localhost` and 127.0.0.1.
    pub server: Pair,
    /// The site.
    pub site: Pair,
}

/// A certificate and its key.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Makes them in a directory.
pub fn make(directory: &Path) -> Result<Certificates> {
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "authority of a measurement");
    let certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::from_params(&authority, &authority_key);
    let pair = |name: &str, names: &[&str]| -> Result<Pair> {
        let mut params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        params.distinguished_name.push(DnType::CommonName, names[0]);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &issuer)?;
        Ok(Pair {
            certificate: write(directory, &format!("{name}.crt"), &certificate.pem())?,
            key: write(directory, &format!("{name}.key"), &key.serialize_pem())?,
        })
    };
    Ok(Certificates {
        server: pair("server", &["localhost", "127.0.0.1"])?,
        site: pair("site", &[SITE])?,
        authority: write(directory, "authority.crt", &certificate.pem())?,
    })
}

fn write(directory: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let path = directory.join(name);
    std::fs::write(&path, text).with_context(|| format!("{} could not be written", path.display()))?;
    Ok(path)
}
