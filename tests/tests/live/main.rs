//! The program from end to end: what is promised to those who run it. One test program, whose tests run side by side.

mod crash;
mod disk;
mod ending;
mod growth;
mod link;
mod names;
mod once;
mod policy;
mod reading;
mod refusals;
mod rotation;
mod run;
mod trust;
mod wire;
