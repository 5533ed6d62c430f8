//! Who is at the other end: names from certificates, and what a name may do.

mod access;
mod certificate;
mod tls;

pub use access::{Access, PatternError};
pub use certificate::{CertificateError, name_of};
pub use tls::{Credentials, TlsError};
