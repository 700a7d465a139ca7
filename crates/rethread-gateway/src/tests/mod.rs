//! The router on a storage in memory, with an engine that runs a few small programs.

mod assistants;
mod auth;
pub(crate) mod bench;
mod cors;
mod document;
mod edits;
mod histories;
mod later;
mod limits;
mod lists;
mod meta;
mod programs;
mod served;
mod serving;
mod store;
mod tenants;
mod threads;
