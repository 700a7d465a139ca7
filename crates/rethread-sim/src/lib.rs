//! The whole of Rethread in one thread, under faults that a seed decides.
//!
//! A seed makes a world: some hosts with coordinators and workers, some threads with programs to
//! run on them, one storage (the memory adapter, which is the model of all), and what goes wrong.
//! Each host is a runtime on a paused clock that the world lets go on step by step, so a seed
//! gives the same world each time. A witness sees every request that reaches the storage and
//! every body that starts, and holds them against the invariants.
//!
//! ```text
//!   Driver (clients)      Host × n (Node: coordinator, workers)
//!        └── Link ──────────── Link      requests get lost, late, doubled, cut off
//!               └── MemoryStorage ──► Witness ──► violations, goals, trace
//! ```

extern crate rethread_graph as rethread;

mod app;
mod driver;
mod goals;
mod graph;
mod hand;
mod host;
mod link;
mod panics;
mod plan;
mod planted;
mod program;
mod random;
mod seeds;
mod storage;
mod trace;
mod weather;
mod witness;
mod world;

pub use seeds::main;
