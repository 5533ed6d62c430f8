//! A component that was read, compiled, and checked against the contract.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::engine::Engine;
use super::error::PolicyError;
use super::limits;
use super::machine::{Machine, Needs};
use super::wasi;

/// The newest version of `fedtail:policy` that this host serves.
pub const CONTRACT: &str = "0.1.0";

/// SHA-256 of a component's exact bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest as it is written: `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        text.strip_prefix("sha256:").and_then(super::trust::unhex).map(Self)
    }

    /// Its 32 bytes, as the wire carries them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// As 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        hex(&self.0)
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a component is for, by what it exports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It decides at a site what is sent.
    Streamer,
    /// It decides at the server what is accepted.
    Receiver,
}

impl Kind {
    /// The interface that it exports.
    pub(super) fn export(self) -> &'static str {
        match self {
            Kind::Streamer => "tailing",
            Kind::Receiver => "receiving",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Streamer => "streamer",
            Kind::Receiver => "receiver",
        })
    }
}

/// A compiled component that fits the contract, not yet linked.
#[derive(Clone)]
pub struct Component {
    pub(super) compiled: wasmtime::component::Component,
    /// What it was compiled by, and runs on.
    pub(super) machine: Arc<Machine>,
    /// Where it came from, for messages.
    pub(super) file: PathBuf,
    digest: Digest,
}

impl Component {
    /// Reads, compiles and checks a policy of this kind.
    pub fn read(engine: &Engine, file: &Path, kind: Kind) -> Result<Self, PolicyError> {
        Self::new(engine, &Self::read_bytes(file)?, file, kind)
    }

    /// Reads a component's file, which must not be larger than any policy is.
    pub(super) fn read_bytes(file: &Path) -> Result<Vec<u8>, PolicyError> {
        let error = |reason: String| PolicyError::Read { file: file.into(), reason };
        let open = std::fs::File::open(file).map_err(|e| error(e.to_string()))?;
        let mut bytes = Vec::new();
        // One byte more than allowed tells a file that is too large without reading all of it.
        let read = open.take(limits::COMPONENT + 1).read_to_end(&mut bytes).map_err(|e| error(e.to_string()))?;
        if read as u64 > limits::COMPONENT {
            return Err(error(format!("it is larger than {} bytes, the most that is taken", limits::COMPONENT)));
        }
        Ok(bytes)
    }

    /// Whether the bytes begin as a component does; what they are instead, and what to do.
    pub(super) fn check_form(bytes: &[u8], file: &Path) -> Result<(), PolicyError> {
        let error = |reason: &str| Err(PolicyError::Decode { file: file.into(), reason: reason.into() });
        // Magic number, then the version and the layer: 1 and 0 for a core module, 13 and 1 for a component.
        match bytes {
            [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
                error("it is a core module; make a component of it, for example with `wasm-tools component new`")
            }
            [0, b'a', b's', b'm', ..] => Ok(()),
            _ => error("it does not begin as WebAssembly does; give the .wasm file that a policy was built to"),
        }
    }

    /// Compiles and checks a policy of this kind; `file` is what messages call it.
    pub fn new(engine: &Engine, bytes: &[u8], file: &Path, kind: Kind) -> Result<Self, PolicyError> {
        Self::check_form(bytes, file)?;
        let digest = Digest::of(bytes);
        let error = |reason: String| PolicyError::Decode { file: file.into(), reason };
        let machine = engine.machine(Needs::of(bytes)).map_err(error)?;
        let compiled =
            machine.cache.load(&machine.wasmtime, &digest, bytes).map_err(|e| error(one_line(&format!("{e:#}"))))?;
        let component = Self { compiled, machine, file: file.into(), digest };
        component.check(kind)?;
        Ok(component)
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The same code under another digest, as if it were another version.
    pub(crate) fn known_as(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// Compares imports and exports with the contract, version by version: a linker alone would take a component of a
    /// newer compatible version silently.
    fn check(&self, kind: Kind) -> Result<(), PolicyError> {
        let error = |reason: String| PolicyError::World { file: self.file.clone(), reason };
        let world = self.compiled.component_type();
        for (name, _) in world.imports(&self.machine.wasmtime) {
            match contract_version(name) {
                None if wasi::is_system(name) => {}
                None => {
                    return Err(error(format!(
                        "it imports {name:?}, and a policy can import nothing but fedtail:policy, and the system \
                         interface of its language (wasi:cli, clocks, filesystem, io, random and sockets of {}, with \
                         nothing behind them); build it for a target without a system interface \
                         (wasm32-unknown-unknown)",
                        wasi::SERIES
                    )));
                }
                Some((_, version)) if version != CONTRACT => {
                    return Err(error(format!(
                        "it is built for version {version} of the contract, and this host serves {CONTRACT}; build it \
                         against wit/{CONTRACT}, or run a host that serves {version}"
                    )));
                }
                Some(_) => {}
            }
        }
        let exports: Vec<_> = world.exports(&self.machine.wasmtime).map(|(name, _)| name.to_owned()).collect();
        let has = |kind: Kind| exports.iter().any(|name| contract_version(name) == Some((kind.export(), CONTRACT)));
        if has(kind) {
            return Ok(());
        }
        let other = if kind == Kind::Streamer { Kind::Receiver } else { Kind::Streamer };
        Err(error(if has(other) {
            format!("it is a {other} policy, and a {kind} policy is needed here")
        } else {
            format!("it lacks the export fedtail:policy/{}@{CONTRACT} that a {kind} policy has", kind.export())
        }))
    }
}

/// The interface and version in a name like `fedtail:policy/chunks@0.1.0`; none for other packages' names.
pub(super) fn contract_version(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("fedtail:policy/")?.split_once('@')
}

/// The first line of a message; the rest of a decoder's words is for its developers.
fn one_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().trim().to_owned()
}
