//! What a file is that somebody might take for a policy: told without running or compiling any of it.

use std::collections::BTreeSet;
use std::path::Path;

use wit_component::DecodedWasm;
use wit_parser::{Resolve, WorldId, WorldItem, WorldKey};

use super::component::{Component, Digest, Kind, contract_version};
use super::error::PolicyError;
use super::guest::printable;

/// A component, as its file describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Bytes of the file.
    pub size: usize,
    /// Its digest.
    pub digest: Digest,
    /// What it asks its host for.
    pub imports: Vec<Interface>,
    /// What it offers.
    pub exports: Vec<Interface>,
}

/// An import or an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name, with package and version where it has them: `fedtail:policy/clock@0.1.0`.
    pub name: String,
    /// The functions in it that are used, such as `now` or `[method]chunk.len`; none where it is a function itself.
    pub functions: Vec<String>,
}

impl Inspection {
    /// Looks at a file. Fails where it is no component, and says what it is instead.
    pub fn read(file: &Path) -> Result<Self, PolicyError> {
        let bytes = Component::read_bytes(file)?;
        Component::check_form(&bytes, file)?;
        let decode = |reason: String| PolicyError::Decode { file: file.into(), reason };
        let (resolve, world) = match wit_component::decode(&bytes) {
            Ok(DecodedWasm::Component(resolve, world)) => (resolve, world),
            Ok(DecodedWasm::WitPackage(..)) => {
                return Err(decode("it is a package of interfaces, with no code in it".into()));
            }
            Err(error) => {
                return Err(decode(format!(
                    "what it imports and exports can't be read: {}",
                    printable(&format!("{error:#}"))
                )));
            }
        };
        let exports = interfaces(&resolve, world, |world| &world.exports);
        let imports = interfaces(&resolve, world, |world| &world.imports);
        Ok(Self { size: bytes.len(), digest: Digest::of(&bytes), imports, exports })
    }

    /// Which side it is for, by what it exports, whatever the version; none if it is no policy.
    pub fn kind(&self) -> Option<Kind> {
        let exports = |kind: Kind| {
            let mut names = self.exports.iter().filter_map(|export| contract_version(&export.name));
            names.any(|(interface, _)| interface == kind.export())
        };
        [Kind::Streamer, Kind::Receiver].into_iter().find(|kind| exports(*kind))
    }

    /// The versions of the contract that it is built against.
    pub fn versions(&self) -> BTreeSet<&str> {
        let names = self.imports.iter().chain(&self.exports);
        names.filter_map(|interface| Some(contract_version(&interface.name)?.1)).collect()
    }

    /// Whether it has state that it hands over when it is replaced.
    pub fn has_state(&self) -> bool {
        self.exports.iter().any(|export| contract_version(&export.name).is_some_and(|(name, _)| name == "snapshot"))
    }

    /// Whether it asks for a system interface that this host links, with nothing behind it.
    pub fn has_system(&self) -> bool {
        self.imports.iter().any(|import| super::wasi::is_system(&import.name))
    }

    /// What it can do to the world, one phrase for each thing that it asks for and is given.
    pub fn reach(&self) -> Vec<&'static str> {
        const WORDS: [(&str, &str, &str); 13] = [
            ("log-source", "resume", "open the one log that it is granted, with its rotated files"),
            ("log-source", "[method]log-file.read", "read it"),
            ("chunks", "[method]chunk.bytes", "look at the bytes"),
            ("chunks", "[constructor]chunk", "put other bytes in their place"),
            ("transport", "send", "send to the server"),
            ("transport", "skip", "withhold parts of the log"),
            ("transport", "report-gap", "tell the server what was lost"),
            ("log-sink", "append", "store what a site sends"),
            ("log-sink", "drop-data", "drop what a site sends, with a reason"),
            ("usage", "others", "count what the server has of the same site and job"),
            ("clock", "now", "measure time"),
            ("clock", "wall", "tell the time"),
            ("diagnostics", "say", "write to the host's own log"),
        ];
        let has = |interface: &str, function: &str| {
            let mut imports = self.imports.iter();
            imports.any(|import| {
                contract_version(&import.name).is_some_and(|(name, _)| name == interface)
                    && import.functions.iter().any(|found| found == function)
            })
        };
        WORDS
            .into_iter()
            .filter(|(interface, function, _)| has(interface, function))
            .map(|(_, _, words)| words)
            .collect()
    }
}

/// The imports or the exports of a world that are more than types.
fn interfaces<'a>(
    resolve: &'a Resolve,
    world: WorldId,
    side: impl Fn(&'a wit_parser::World) -> &'a wit_parser::IndexMap<WorldKey, WorldItem>,
) -> Vec<Interface> {
    let items = side(&resolve.worlds[world]).iter();
    let interfaces = items.filter_map(|(key, item)| {
        let functions = match item {
            WorldItem::Interface { id, .. } => {
                resolve.interfaces[*id].functions.keys().map(|name| printable(name)).collect()
            }
            WorldItem::Function(_) => Vec::new(),
            WorldItem::Type { .. } => return None,
        };
        Some(Interface { name: printable(&resolve.name_world_key(key)), functions })
    });
    interfaces.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::{RECEIVER, STREAMER};

    fn inspect(bytes: &[u8]) -> Result<Inspection, PolicyError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        Inspection::read(file.path())
    }

    #[test]
    fn the_built_in_streamer_never_looks_at_bytes() {
        let found = inspect(STREAMER).unwrap();
        assert_eq!((found.size, found.digest), (STREAMER.len(), Digest::of(STREAMER)));
        assert_eq!((found.kind(), found.has_state()), (Some(Kind::Streamer), false));
        assert_eq!(found.versions().into_iter().collect::<Vec<_>>(), ["0.1.0"]);
        let reach = found.reach();
        assert!(reach.contains(&"send to the server") && reach.contains(&"read it"), "{reach:?}");
        assert!(
            !reach.contains(&"look at the bytes") && !reach.contains(&"put other bytes in their place"),
            "{reach:?}"
        );
    }

    #[test]
    fn the_built_in_receiver_stores_and_drops() {
        let found = inspect(RECEIVER).unwrap();
        assert_eq!(found.kind(), Some(Kind::Receiver));
        assert!(found.reach().contains(&"store what a site sends"), "{:?}", found.reach());
        assert!(!found.reach().contains(&"send to the server"));
    }

    #[test]
    fn what_is_no_component_says_what_it_is() {
        let words = |bytes: &[u8]| inspect(bytes).unwrap_err().to_string();
        assert!(words(b"\0asm\x01\0\0\0").contains("it is a core module; make a component of it"));
        assert!(words(b"#!/bin/sh").contains("does not begin as WebAssembly does"));
        assert!(words(b"\0asm\x0d\0\x01\0\xff\xff").contains("is not a WebAssembly component: "));
    }
}
