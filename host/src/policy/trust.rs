//! Who a site trusts to write its policies: Ed25519 signatures over a component's exact bytes.
//!
//! A signature lies beside the component, in a file of the same name with `.sig` behind it. Keys and signatures are one
//! line of text each, so that they can be read out, mailed and put into `policies.toml`:
//!
//! ```text
//! ed25519:<64 hexadecimal digits>                            a public key
//! ed25519-secret:<64 hexadecimal digits>                     a secret key: the seed
//! ed25519-signature:<public key>:<128 hexadecimal digits>    a signature, with the key that it verifies with
//! ```

use std::fmt;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_lc_rs::encoding::{AsBigEndian, Curve25519SeedBin};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use super::component::hex;
use super::error::PolicyError;

const PUBLIC: &str = "ed25519:";
const SECRET: &str = "ed25519-secret:";
const SIGNATURE: &str = "ed25519-signature:";

/// A key or a signature file is some hundred bytes; whatever is much longer is something else.
const LONGEST: u64 = 4 << 10;

/// Why a key or a signature was not made or taken: which file, why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TrustError(String);

/// What verifies signatures.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// What makes signatures. Shows nothing of itself.
pub struct SecretKey(Ed25519KeyPair);

/// A signature over a component's bytes, and the key that it says it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    key: PublicKey,
    bytes: [u8; 64],
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SIGNATURE}{}:{}", hex(&self.key.0), hex(&self.bytes))
    }
}

impl FromStr for PublicKey {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let digits = text.trim().strip_prefix(PUBLIC);
        digits.and_then(unhex).map(Self).ok_or_else(|| {
            TrustError(format!(
                "{text:?} is no public key; one is `{PUBLIC}` and 64 hexadecimal digits, as `fedtail policy keygen` \
                 prints it"
            ))
        })
    }
}

impl FromStr for Signature {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, TrustError> {
        let parse = |text: &str| {
            let (key, bytes) = text.trim().strip_prefix(SIGNATURE)?.split_once(':')?;
            Some(Self { key: PublicKey(unhex(key)?), bytes: unhex(bytes)? })
        };
        parse(text).ok_or_else(|| {
            TrustError(format!("it is no signature: one begins with `{SIGNATURE}`, as `fedtail policy sign` writes it"))
        })
    }
}

impl Signature {
    /// The key that it says it is from.
    pub fn key(&self) -> PublicKey {
        self.key
    }

    /// Whether it is a signature of these bytes by its key.
    pub fn verifies(&self, component: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, self.key.0).verify(component, &self.bytes).is_ok()
    }
}

impl SecretKey {
    /// A new key, from the system's random numbers.
    pub fn generate() -> Result<Self, TrustError> {
        let made = Ed25519KeyPair::generate();
        made.map(Self).map_err(|_| TrustError("the system gives no random numbers for a key".into()))
    }

    /// Reads a key from its file.
    pub fn read(file: &Path) -> Result<Self, TrustError> {
        let text = read_line(file)?;
        let seed: Option<[u8; 32]> = text.trim().strip_prefix(SECRET).and_then(unhex);
        let key = seed.and_then(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).ok());
        key.map(Self).ok_or_else(|| {
            TrustError(format!(
                "{}: no secret key; give the file that `fedtail policy keygen` made, which begins with `{SECRET}`",
                file.display()
            ))
        })
    }

    /// Writes the key into a new file that only this user can read. A file that is there is never overwritten.
    pub fn write(&self, file: &Path) -> Result<(), TrustError> {
        let failed = |e: &dyn fmt::Display| TrustError(format!("{}: the key cannot be written: {e}", file.display()));
        let seed = self.0.seed().and_then(|seed| -> Result<Curve25519SeedBin<'_>, _> { seed.as_be_bytes() });
        let seed = seed.map_err(|e| failed(&e))?;
        let mut options = std::fs::OpenOptions::new();
        let mut out = options.write(true).create_new(true).mode(0o600).open(file).map_err(|e| failed(&e))?;
        writeln!(out, "{SECRET}{}", hex(seed.as_ref())).and_then(|()| out.sync_all()).map_err(|e| failed(&e))
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        PublicKey(bytes)
    }

    /// Signs a component's bytes.
    pub fn sign(&self, component: &[u8]) -> Signature {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.0.sign(component).as_ref());
        Signature { key: self.public(), bytes }
    }
}

/// Where the signature of a component is: its path, with `.sig` behind it.
pub fn signature_file(component: &Path) -> PathBuf {
    let mut path = component.as_os_str().to_owned();
    path.push(".sig");
    path.into()
}

/// Reads a signature; none where there is no file.
pub fn read_signature(file: &Path) -> Result<Option<Signature>, TrustError> {
    match std::fs::symlink_metadata(file) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        _ => {
            let signature: Result<_, TrustError> = read_line(file)?.parse();
            signature.map(Some).map_err(|e| TrustError(format!("{}: {e}", file.display())))
        }
    }
}

/// The keys that a site trusts. Without any, every component is taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trust {
    /// The keys.
    pub keys: Vec<PublicKey>,
}

impl Trust {
    /// Whether a component with this signature may be used.
    pub fn trusts(&self, signed_by: Option<PublicKey>) -> bool {
        self.keys.is_empty() || signed_by.is_some_and(|key| self.keys.contains(&key))
    }

    /// Checks a component's signature. Returns the trusted key that it is signed with, if keys are configured.
    pub fn check(&self, file: &Path, component: &[u8]) -> Result<Option<PublicKey>, PolicyError> {
        if self.keys.is_empty() {
            return Ok(None);
        }
        let signature_file = signature_file(file);
        let error = |reason: String| PolicyError::Signature { file: file.into(), reason };
        let signature = read_signature(&signature_file).map_err(|e| error(e.to_string()))?.ok_or_else(|| {
            error(format!(
                "it is not signed, and trusted keys are configured; sign it with `fedtail policy sign`, which writes {}",
                signature_file.display()
            ))
        })?;
        if !self.keys.contains(&signature.key()) {
            return Err(error(format!(
                "it is signed with {}, which is none of the trusted keys; have it signed with one of these, or add the \
                 key to trusted-keys",
                signature.key()
            )));
        }
        if !signature.verifies(component) {
            return Err(error(format!(
                "{} is not a signature of these bytes; one of the two files was changed after it was signed: sign it \
                 again, or restore what was signed",
                signature_file.display()
            )));
        }
        Ok(Some(signature.key()))
    }
}

fn read_line(file: &Path) -> Result<String, TrustError> {
    let read = || {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::io::Read::take(std::fs::File::open(file)?, LONGEST), &mut text)?;
        std::io::Result::Ok(text)
    };
    read().map_err(|e| TrustError(format!("{} cannot be read: {e}", file.display())))
}

/// The bytes that so many hexadecimal digits stand for.
pub(super) fn unhex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.len() != 2 * N || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component's place, and what is written there.
    fn component(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("p.wasm");
        std::fs::write(&file, bytes).unwrap();
        (directory, file)
    }

    fn sign(file: &Path, key: &SecretKey) {
        let signature = key.sign(&std::fs::read(file).unwrap());
        std::fs::write(signature_file(file), format!("{signature}\n")).unwrap();
    }

    #[test]
    fn what_a_trusted_key_signed_is_taken_and_nothing_else() {
        let (_directory, file) = component(b"bytes");
        let (trusted, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let trust = Trust { keys: vec![trusted.public()] };
        let words = trust.check(&file, b"bytes").unwrap_err().to_string();
        assert!(words.contains("it is not signed") && words.contains("p.wasm.sig"), "{words}");
        sign(&file, &other);
        let words = trust.check(&file, b"bytes").unwrap_err().to_string();
        assert!(words.contains("none of the trusted keys") && words.contains(&other.public().to_string()), "{words}");
        sign(&file, &trusted);
        assert_eq!(trust.check(&file, b"bytes").unwrap(), Some(trusted.public()));
        let words = trust.check(&file, b"other bytes").unwrap_err().to_string();
        assert!(words.contains("not a signature of these bytes"), "{words}");
    }

    #[test]
    fn a_signature_with_the_right_key_written_on_it_does_not_pass_for_one() {
        let (_directory, file) = component(b"bytes");
        let (trusted, other) = (SecretKey::generate().unwrap(), SecretKey::generate().unwrap());
        let forged = Signature { key: trusted.public(), ..other.sign(b"bytes") };
        std::fs::write(signature_file(&file), forged.to_string()).unwrap();
        assert!(Trust { keys: vec![trusted.public()] }.check(&file, b"bytes").is_err());
    }

    #[test]
    fn a_signature_file_that_is_none_is_refused_also_when_it_is_empty() {
        let (_directory, file) = component(b"bytes");
        let trust = Trust { keys: vec![SecretKey::generate().unwrap().public()] };
        for text in ["", "ed25519-signature:00:00", "x"] {
            std::fs::write(signature_file(&file), text).unwrap();
            let words = trust.check(&file, b"bytes").unwrap_err().to_string();
            assert!(words.contains("it is no signature"), "{words}");
        }
    }

    #[test]
    fn a_key_comes_back_from_its_file_and_is_private_and_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let key = SecretKey::generate().unwrap();
        key.write(&file).unwrap();
        assert_eq!(SecretKey::read(&file).unwrap().public(), key.public());
        let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&file).unwrap());
        assert_eq!(mode & 0o777, 0o600);
        let words = SecretKey::generate().unwrap().write(&file).unwrap_err().to_string();
        assert!(words.contains("key") && words.contains("exists"), "{words}");
        assert_eq!(key.public().to_string().parse(), Ok(key.public()));
    }
}
