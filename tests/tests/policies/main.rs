//! Policies through the real host: a site and a server in this process, the components as they are built.
//!
//! The example policies, with logs that rotate and grow; and policies that misbehave, each of which ends as the contract
//! and the limits say, while a stream beside it does not notice.

mod author;
mod examples;
mod hostile;
mod hostile_receiver;
mod python;
mod raw;
mod stage;
mod system;
mod tested;
mod versions;
