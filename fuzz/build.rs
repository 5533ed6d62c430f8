//! Compiles the messages of the wire format, without the services, which would bring in the whole of gRPC.

fn main() {
    const PROTO: &str = "../host/proto/wire.proto";
    println!("cargo::rerun-if-changed={PROTO}");
    let descriptors = protox::compile([PROTO], ["../host/proto"]).expect("the wire format compiles");
    prost_build::Config::new().bytes(["."]).compile_fds(descriptors).expect("the messages are generated");
}
