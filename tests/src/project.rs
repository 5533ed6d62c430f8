//! Identities as NVIDIA FLARE's startup kits have them: an authority of the project, and for each member a certificate
//! for a 2048-bit RSA key whose common name is the member's; a server's has its host as a DNS name, too.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize,
    date_time_ymd,
};

/// A project: one authority, whose members trust each other.
pub struct Project {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

/// The project that most tests are in. Made once, since keys take their time.
pub fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| Project::new("project-1"))
}

/// Another project, whose members can have the same names.
pub fn foreign_project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| Project::new("project-2"))
}

/// One member's files in memory: certificate, key, and the project's authority (PEM).
#[derive(Clone)]
pub struct Kit {
    certificate: String,
    key: String,
    root: String,
}

impl Project {
    fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = key();
        let certificate = params.self_signed(&key).expect("a certificate");
        Self { root: certificate.pem(), issuer: Issuer::new(params, key) }
    }

    /// The kit of a site, or of an administrator: their certificates differ in the name alone.
    pub fn member(&self, name: &str) -> Kit {
        self.kit(named(name, &[]))
    }

    /// The kit of a member whose certificate was good until the end of 2024.
    pub fn expired_member(&self, name: &str) -> Kit {
        self.kit(expired(named(name, &[])))
    }

    /// The kit of the server on this machine.
    pub fn server(&self) -> &Kit {
        // Only the shared projects have servers, and each at most this one.
        static KITS: [OnceLock<Kit>; 2] = [const { OnceLock::new() }; 2];
        KITS[usize::from(self.root == foreign_root())].get_or_init(|| self.kit(named("server", &["localhost"])))
    }

    /// The kit of a server whose certificate was good until the end of 2024.
    pub fn expired_server(&self) -> Kit {
        self.kit(expired(named("server", &["localhost"])))
    }

    fn kit(&self, params: CertificateParams) -> Kit {
        let key = key();
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        Kit { certificate: certificate.pem(), key: key.serialize_pem(), root: self.root.clone() }
    }
}

fn foreign_root() -> &'static str {
    &foreign_project().root
}

fn key() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).expect("a key")
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<_> = hosts.iter().map(|&host| host.to_owned()).collect();
    let mut params = CertificateParams::new(hosts).expect("the hosts' names are good");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "lab");
    params
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_before = date_time_ymd(2024, 1, 1);
    params.not_after = date_time_ymd(2024, 12, 31);
    params
}

impl Kit {
    /// Writes the files as a site has them (`client.crt`, `client.key`, `rootCA.pem`), and returns the flags that name
    /// them.
    pub fn site_flags(&self, directory: &Path) -> Vec<String> {
        let [certificate, key, root] = self.write(directory, "client");
        flags([("--cert", certificate), ("--key", key), ("--ca", root)])
    }

    /// Writes the files as a server has them (`server.crt`, `server.key`, `rootCA.pem`), and returns the flags that name
    /// them.
    pub fn server_flags(&self, directory: &Path) -> Vec<String> {
        let [certificate, key, root] = self.write(directory, "server");
        flags([("--tls-cert", certificate), ("--tls-key", key), ("--client-ca", root)])
    }

    /// The same member with the key of another.
    pub fn with_key_of(&self, other: &Kit) -> Kit {
        Kit { key: other.key.clone(), ..self.clone() }
    }

    /// The same member, trusting another project's authority.
    pub fn trusting(&self, other: &Kit) -> Kit {
        Kit { root: other.root.clone(), ..self.clone() }
    }

    fn write(&self, directory: &Path, stem: &str) -> [PathBuf; 3] {
        std::fs::create_dir_all(directory).expect("a directory for the kit");
        let files = [(format!("{stem}.crt"), &self.certificate), (format!("{stem}.key"), &self.key)];
        let [certificate, key] = files.map(|(name, text)| write(directory.join(name), text));
        [certificate, key, write(directory.join("rootCA.pem"), &self.root)]
    }
}

fn write(path: PathBuf, text: &str) -> PathBuf {
    std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    path
}

fn flags(files: [(&str, PathBuf); 3]) -> Vec<String> {
    files.into_iter().flat_map(|(flag, path)| [flag.to_owned(), path.display().to_string()]).collect()
}
