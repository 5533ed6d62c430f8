//! The three files of an identity, as flags.

use std::path::PathBuf;

use fedtail::identity::Credentials;

use crate::exit::Failure;

/// Reads the identity, if any of its files is given; then all three have to be. `flags` are what the files are called
/// here: certificate, key, authority.
pub fn read(
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    authority: Option<PathBuf>,
    flags: [&str; 3],
) -> Result<Option<Credentials>, Failure> {
    match (certificate, key, authority) {
        (Some(certificate), Some(key), Some(authority)) => Ok(Some(Credentials::read(&certificate, &key, &authority)?)),
        (None, None, None) => Ok(None),
        (certificate, key, authority) => {
            let missing: Vec<_> = [certificate, key, authority]
                .iter()
                .zip(flags)
                .filter(|(file, _)| file.is_none())
                .map(|(_, flag)| flag)
                .collect();
            Err(Failure::usage(format!("{} missing: TLS needs {} together", missing.join(" and "), flags.join(", "))))
        }
    }
}
