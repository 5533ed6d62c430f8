//! Compiled components on disk, so that a start takes a millisecond instead of compiling for a tenth of a second.
//!
//! What is loaded from here is machine code that runs with the host's rights. So the directory must be this user's
//! alone; one that others can write is not used.

use std::hash::{Hash, Hasher};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tracing::{debug, warn};

use super::component::Digest;

/// Compiled components by the digest of their source and everything that the compiled form depends on.
pub struct Cache {
    directory: Option<PathBuf>,
    compatibility: u64,
}

impl Cache {
    pub fn new(directory: Option<PathBuf>, engine: &wasmtime::Engine) -> Self {
        let mut hasher = siphasher::sip::SipHasher13::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let directory = directory.and_then(|directory| match private(&directory) {
            Ok(()) => Some(directory),
            Err(reason) => {
                warn!("compiled policies are not kept: {}: {reason}", directory.display());
                None
            }
        });
        Self { directory, compatibility: hasher.finish() }
    }

    fn file(&self, digest: &Digest) -> Option<PathBuf> {
        let name = format!("{}-{:016x}.cwasm", digest.hex(), self.compatibility);
        Some(self.directory.as_ref()?.join(name))
    }

    /// The compiled form of a component, or compiles it and keeps it. Where the cache fails, the component is compiled.
    pub fn load(
        &self,
        engine: &wasmtime::Engine,
        digest: &Digest,
        component: &[u8],
    ) -> wasmtime::Result<wasmtime::component::Component> {
        let file = self.file(digest);
        if let Some(file) = file.as_deref().filter(|file| file.exists()) {
            // SAFETY: the file was written by `keep` of this user's host: its directory is checked to be owned by this
            // user and closed to others, and files appear in it whole, by rename. wasmtime checks the version and
            // settings that it was compiled with.
            #[allow(unsafe_code, reason = "the one place that loads compiled code; see SAFETY")]
            match unsafe { wasmtime::component::Component::deserialize_file(engine, file) } {
                Ok(component) => return Ok(component),
                Err(error) => debug!("compiling anew: {}: {error:#}", file.display()),
            }
        }
        let compiled = wasmtime::component::Component::new(engine, component)?;
        if let Some(file) = file
            && let Err(error) = keep(&file, &compiled)
        {
            debug!("not kept: {}: {error:#}", file.display());
        }
        Ok(compiled)
    }
}

/// Writes the compiled form beside its place, then renames it there.
fn keep(file: &Path, compiled: &wasmtime::component::Component) -> anyhow::Result<()> {
    let draft = file.with_extension(format!("{}.part", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut out = options.write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    std::io::Write::write_all(&mut out, &compiled.serialize()?)?;
    std::fs::rename(&draft, file)?;
    Ok(())
}

/// Makes the directory, or says why it is not private.
fn private(directory: &Path) -> Result<(), String> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|e| e.to_string())?;
    let found = std::fs::symlink_metadata(directory).map_err(|e| e.to_string())?;
    let user = rustix::process::geteuid().as_raw();
    if !found.is_dir() {
        Err("is not a directory".into())
    } else if found.uid() != user {
        Err(format!("belongs to user {}, and this is user {user}", found.uid()))
    } else if found.mode() & 0o022 != 0 {
        Err(format!("can be written by others (mode {:o}): chmod 700 it", found.mode() & 0o777))
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_directory_that_others_can_write_is_not_used() {
        let root = tempfile::tempdir().unwrap();
        let open = root.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(private(&open).unwrap_err().contains("chmod 700"));
        assert_eq!(private(&root.path().join("new")), Ok(()));
    }
}
