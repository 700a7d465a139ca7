//! Bodies written with the SDK, driven by hand: no runtime, no storage.

#![expect(unreachable_pub, reason = "a test is no library")]

extern crate rethread_sdk as rethread;

mod attributes;
mod bodies;
mod calls;
mod driver;
mod options;
mod outside;
mod provided;
mod registry;
#[cfg(feature = "schemas")]
mod schemas;
mod settings;
mod store;
mod tasks;
