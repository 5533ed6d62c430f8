//! Components for tests.

use std::path::Path;
use std::sync::OnceLock;

use guest_build::GuestBuild;

/// A streamer that numbers lines, carries the number on, and fails when its settings say so; see its crate.
pub fn numbering() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| build("fedtail-guest-numbering"))
}

/// A receiver that puts a mark before what it stores, and fails when its settings say so; see its crate.
pub fn marking() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| build("fedtail-guest-marking"))
}

/// A streamer that does what its settings say; see its crate.
pub fn hostile() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| build("fedtail-guest-hostile"))
}

/// A receiver that does what its settings say; see its crate.
pub fn hostile_receiver() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| build("fedtail-guest-hostile-receiver"))
}

fn build(guest: &str) -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    GuestBuild::new(root, &root.join("target")).unwrap().build(guest).unwrap().component().to_vec()
}

/// The built-in streamer.
pub static STREAMER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/streamer.wasm"));
/// The built-in receiver.
pub static RECEIVER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/receiver.wasm"));

/// The same component with another digest: a custom section, which changes nothing, is put behind it.
pub fn variant(component: &[u8], mark: u8) -> Vec<u8> {
    [component, &[0, 3, 1, b'v', mark]].concat()
}

/// Puts a file in place in one step, as editors and installers do.
pub fn replace(file: &Path, bytes: impl AsRef<[u8]>) {
    let draft = file.with_extension("draft");
    std::fs::write(&draft, bytes).unwrap();
    std::fs::rename(&draft, file).unwrap();
}
