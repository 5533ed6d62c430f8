//! Rust's view of `wit/`: generated. One module per world; what the worlds share is generated once.

#![allow(missing_docs, clippy::all, reason = "generated; the manual is wit/")]

/// A policy at a site.
pub mod streamer {
    wasmtime::component::bindgen!({
        path: "../wit/0.1.0",
        world: "streamer-policy",
        imports: { default: trappable },
        with: {
            "fedtail:policy/chunks.chunk": crate::policy::chunk::Chunk,
            "fedtail:policy/log-source.log-file": crate::policy::streamer::LogFile,
        },
    });
}

/// A policy at a site that has state for its successor: only `snapshot` is used of it.
pub mod stateful {
    wasmtime::component::bindgen!({
        path: "../wit/0.1.0",
        world: "stateful-streamer-policy",
        imports: { default: trappable },
        with: {
            "fedtail:policy/chunks": crate::policy::bindings::streamer::fedtail::policy::chunks,
            "fedtail:policy/clock": crate::policy::bindings::streamer::fedtail::policy::clock,
            "fedtail:policy/gaps": crate::policy::bindings::streamer::fedtail::policy::gaps,
            "fedtail:policy/log-source": crate::policy::bindings::streamer::fedtail::policy::log_source,
            "fedtail:policy/transport": crate::policy::bindings::streamer::fedtail::policy::transport,
            "fedtail:policy/diagnostics": crate::policy::bindings::streamer::fedtail::policy::diagnostics,
        },
    });
}

/// A policy at the server.
pub mod receiver {
    wasmtime::component::bindgen!({
        path: "../wit/0.1.0",
        world: "receiver-policy",
        imports: { default: trappable },
        with: {
            "fedtail:policy/chunks": crate::policy::bindings::streamer::fedtail::policy::chunks,
            "fedtail:policy/clock": crate::policy::bindings::streamer::fedtail::policy::clock,
            "fedtail:policy/gaps": crate::policy::bindings::streamer::fedtail::policy::gaps,
            "fedtail:policy/diagnostics": crate::policy::bindings::streamer::fedtail::policy::diagnostics,
        },
    });
}
