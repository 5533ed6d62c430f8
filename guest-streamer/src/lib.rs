//! The default streamer policy: it lets a job's log leave the site as it is, as soon as it is written.
//!
//! It is the trivial case of what policies are written with: the state machine in [`mod@streamer`], and nothing around it.

#![deny(missing_docs, unsafe_code)]

pub use fedtail_policy_sdk::{host, streamer};

#[cfg(all(target_arch = "wasm32", not(test)))]
mod component {
    use fedtail_policy_sdk::Everything;
    use fedtail_policy_sdk::component::streamer::Site;

    fedtail_policy_sdk::streamer!(step Everything<Site>);
}
