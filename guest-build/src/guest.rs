//! From a guest crate of the workspace to a component.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use wit_component::{ComponentEncoder, DecodedWasm};

use crate::RECORD;
use crate::cargo::Compilation;
use crate::toolchain::Toolchain;

/// Builds guest crates of one workspace.
#[derive(Debug, Clone)]
pub struct GuestBuild {
    root: PathBuf,
    target: PathBuf,
    toolchain: Toolchain,
}

/// A guest that was built.
#[derive(Debug, Clone)]
pub struct Guest {
    component: Vec<u8>,
    imports: Vec<String>,
    inputs: BTreeSet<PathBuf>,
}

impl GuestBuild {
    /// For the workspace at `root`, below the target folder `target`, with the toolchain that the workspace has
    /// recorded, or else with one that is found on this machine.
    ///
    /// The guests get a folder of their own below `target`: cargo holds a lock on the folder that it builds in, so an
    /// inner cargo would wait for the outer one for ever. All profiles share it, since a guest is built the same for
    /// each of them.
    pub fn new(root: &Path, target: &Path) -> Result<Self> {
        let toolchain = match Toolchain::recorded(root)? {
            Some(toolchain) => toolchain,
            None => Toolchain::find().map_err(|missing| {
                anyhow!("{missing}\nRun `cargo xtask setup`, which installs what is missing or says what you can do.")
            })?,
        };
        Ok(Self { root: root.to_owned(), target: target.join("guests"), toolchain })
    }

    /// As [`new`](Self::new), for the build script of a crate whose folder lies in the root of its workspace.
    pub fn from_build_script() -> Result<Self> {
        let variable = |name| env::var_os(name).map(PathBuf::from).with_context(|| format!("cargo has not set {name}"));
        let manifest = variable("CARGO_MANIFEST_DIR")?;
        let root = manifest.parent().with_context(|| format!("{} is in no workspace", manifest.display()))?;
        Self::new(root, outer_target(&variable("OUT_DIR")?))
    }

    /// The toolchain that it builds with.
    pub fn toolchain(&self) -> &Toolchain {
        &self.toolchain
    }

    /// Builds the guest crate of this name, and makes a component of it. Takes a fraction of a second where nothing has
    /// changed. Fails with the compiler's words, or with what makes the module no component.
    pub fn build(&self, package: &str) -> Result<Guest> {
        let core = Compilation {
            toolchain: &self.toolchain,
            root: &self.root,
            target: &self.target,
            package: Some(package),
            options: &["--locked"],
            is_followed: false,
        }
        .run()?;
        let (component, imports) = component(&core, &format!("the guest {package}"))?;
        let inputs = self.inputs(&core.with_extension("d"))?;
        Ok(Guest { component, imports, inputs })
    }

    /// The files that decide what the guest is: what the compiler read of this workspace, the manifests of those crates,
    /// the workspace's own files, and the record of the toolchain.
    fn inputs(&self, dependencies: &Path) -> Result<BTreeSet<PathBuf>> {
        let text = fs::read_to_string(dependencies)
            .with_context(|| format!("{} could not be read", dependencies.display()))?;
        let mut inputs: BTreeSet<_> = listed(&text).map(|file| self.root.join(file)).collect();
        let manifests: Vec<_> = inputs.iter().filter_map(|file| self.manifest_of(file)).collect();
        inputs.extend(manifests);
        inputs.extend(["Cargo.toml", "Cargo.lock"].map(|file| self.root.join(file)));
        // Cargo takes a file that does not exist for one that has changed, and would build again each time.
        inputs.extend(Some(self.root.join(RECORD)).filter(|record| record.exists()));
        Ok(inputs)
    }

    /// The manifest of the crate that a file belongs to.
    fn manifest_of(&self, file: &Path) -> Option<PathBuf> {
        let folders = file.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
        folders.map(|folder| folder.join("Cargo.toml")).find(|manifest| manifest.is_file())
    }
}

impl Guest {
    /// The component, validated.
    pub fn component(&self) -> &[u8] {
        &self.component
    }

    /// The files of this workspace that it was made of, for `cargo::rerun-if-changed`.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.inputs.iter().map(PathBuf::as_path)
    }

    /// The names of what the component imports, such as `fedtail:policy/clock@0.1.0`.
    pub fn imports(&self) -> &[String] {
        &self.imports
    }
}

/// Makes a component of the core module in this file, and says what it imports. `what` is what errors call it.
pub(crate) fn component(core: &Path, what: &str) -> Result<(Vec<u8>, Vec<String>)> {
    let bytes = fs::read(core).with_context(|| format!("{} could not be read", core.display()))?;
    let component =
        componentize(&bytes).with_context(|| format!("{what} ({}) can't be made a component", core.display()))?;
    let imports = imports(&component).with_context(|| format!("{what} is no policy"))?;
    Ok((component, imports))
}

/// What a component imports. Fails where it exports nothing: a module without a world becomes an empty component, which
/// nobody means to build.
fn imports(component: &[u8]) -> Result<Vec<String>> {
    let DecodedWasm::Component(resolve, world) = wit_component::decode(component)? else {
        bail!("it is a package of interfaces");
    };
    let world = &resolve.worlds[world];
    if world.exports.is_empty() {
        bail!(
            "it exports nothing; `wit_bindgen::generate!` and `export!` make a crate export the contract's interface"
        );
    }
    Ok(world.imports.keys().map(|key| resolve.name_world_key(key)).collect())
}

/// Makes a component of a core module that carries the description of its world, as `wit-bindgen` puts it there.
fn componentize(core: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default().validate(true).module(core)?.encode()
}

/// The target folder that the outer cargo builds in, from the folder that it gave to a build script. Cargo marks its
/// target folders for backup programs; where the mark is missing, the script's own folder serves, which only costs the
/// guests' standard library a build for each profile.
fn outer_target(out: &Path) -> &Path {
    out.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file()).unwrap_or(out)
}

/// The files that a dependency file lists, in the form of `make`: `output: input input`, with `\ ` for a space.
fn listed(text: &str) -> impl Iterator<Item = String> {
    let inputs = text.lines().filter_map(|line| line.split_once(": ")).flat_map(|(_, inputs)| {
        // No path has a NUL in it, so one can stand for an escaped space while the others part the list.
        let marked = inputs.replace("\\ ", "\0");
        marked.split_whitespace().map(|file| file.replace('\0', " ")).collect::<Vec<_>>()
    });
    inputs.filter(|file| !file.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_file_lists_its_inputs_also_with_spaces_in_them() {
        let text = "/t/a.wasm: /w/src/lib.rs /w/my\\ wit/p.wit\n\n/t/b.wasm: /w/b.rs\n/t/c.wasm:\n";
        assert_eq!(listed(text).collect::<Vec<_>>(), ["/w/src/lib.rs", "/w/my wit/p.wit", "/w/b.rs"]);
    }

    #[test]
    fn the_outer_target_folder_is_the_one_that_cargo_marked() {
        let target = tempfile::tempdir().unwrap();
        let out = target.path().join("debug/build/fedtail-0123/out");
        fs::create_dir_all(&out).unwrap();
        assert_eq!(outer_target(&out), out);
        fs::write(target.path().join("CACHEDIR.TAG"), "").unwrap();
        assert_eq!(outer_target(&out), target.path());
    }

    #[test]
    fn what_is_no_module_is_no_component() {
        assert!(componentize(b"no module").is_err());
    }

    #[test]
    fn a_module_without_a_world_is_refused() {
        let empty = componentize(b"\0asm\x01\0\0\0").unwrap();
        assert!(imports(&empty).unwrap_err().to_string().starts_with("it exports nothing"));
    }

    #[test]
    fn a_damaged_record_stops_the_build() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join(RECORD), "kind = \"rustup\"\n").unwrap();
        let error = format!("{:#}", GuestBuild::new(root.path(), root.path()).unwrap_err());
        assert!(error.contains("`cargo` is missing") && error.contains("cargo xtask setup"), "{error}");
    }
}
