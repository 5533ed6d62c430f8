//! The component around a policy: it translates between the contract's bindings and the policy's own types. Used by the
//! macros, and by who wants the whole contract.

pub mod receiver;
pub mod streamer;

/// Rust's view of the contract: generated; the manual is `wit/`.
pub mod bindings {
    #![allow(missing_docs, unsafe_code, clippy::all, reason = "generated")]

    /// A policy at a site.
    pub mod streamer {
        wit_bindgen::generate!({
            path: "../wit/0.1.0",
            world: "streamer-policy",
            pub_export_macro: true,
            default_bindings_module: "fedtail_policy_sdk::component::bindings::streamer",
        });
    }

    /// A policy at the server.
    pub mod receiver {
        wit_bindgen::generate!({
            path: "../wit/0.1.0",
            world: "receiver-policy",
            pub_export_macro: true,
            default_bindings_module: "fedtail_policy_sdk::component::bindings::receiver",
        });
    }
}
