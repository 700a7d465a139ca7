//! The shell around the core: actors that read inboxes, drive the state machines of threads,
//! write what they decide, and run tasks.
//!
//! ```text
//! Node
//!  ├─ engine thread (one OS thread, current-thread runtime)
//!  │    NodeSupervisor ─┬─ PartitionOwner × owned partition ── Coordinator × active thread
//!  │                    ├─ LeaseKeeper   (runs on the pulse thread)
//!  │                    └─ WorkerPool × queue ── WorkerActor           (caller's runtime)
//!  │    inbox reader: one task for all owned partitions
//!  ├─ pulse thread: leases and heartbeats, never behind other work
//!  └─ caller's runtime: task bodies, fetching, handing in
//! ```
//!
//! Nothing is decided here that the core could decide: a coordinator turns a message into a call
//! of its [`ThreadMachine`](rethread_core::thread::ThreadMachine), and the effects into one
//! write of its partition. Handlers of actors on the engine thread never wait for storage or for
//! user code; what waits is a task that casts its result back.
//!
//! Not here: the meaning of a run (core), where data lives (storage), what users write (sdk).

mod asking;
mod coordinator;
mod engine;
mod error;
mod failure_log;
mod feeds;
mod inbox_reader;
mod lease_keeper;
mod membership;
mod node;
mod options;
mod partition;
mod presence;
mod probe;
mod publication;
mod records;
mod releases;
mod runtime_thread;
mod share;
mod spans;
mod stats;
mod storage_health;
mod store;
mod supervisor;
mod tenure;
mod worker;

pub use error::{NodeError, Result};
pub use node::Node;
pub use options::{NodeOptions, PoolOptions, Threads};
pub use probe::{NodeProbe, NodeStatus};
pub use stats::StatsSnapshot;
