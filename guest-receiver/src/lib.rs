//! The default receiver policy: it stores what a site sends, as it is.
//!
//! It is the trivial case of what policies are written with: a gate that takes everything.

#![deny(missing_docs, unsafe_code)]

fedtail_policy_sdk::receiver!(fedtail_policy_sdk::receiver::TakesAll);
