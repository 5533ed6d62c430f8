//! Compiles the wire format.

fn main() -> anyhow::Result<()> {
    wire()
}

/// Compiles `proto/wire.proto` with protox, so that nobody needs `protoc`.
fn wire() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=proto/wire.proto");
    let descriptors = protox::compile(["proto/wire.proto"], ["proto"])?;
    // `Bytes` shares the receive buffer, so a payload is not copied on its way to the store.
    tonic_prost_build::configure().bytes(".").compile_fds(descriptors)?;
    Ok(())
}
