//! The router on a storage in memory, with an engine that runs a few small programs.

mod answers;
mod assistants;
mod auth;
pub(crate) mod bench;
mod coordinators;
mod cors;
pub(crate) mod counting;
mod document;
mod edits;
mod ended;
mod full;
mod graphs;
mod histories;
mod hosts;
mod later;
mod limits;
mod lists;
mod meta;
mod odd;
#[path = "../../tests/live/programs.rs"]
mod programs;
mod served;
mod serving;
mod several;
mod store;
mod tenants;
mod threads;
