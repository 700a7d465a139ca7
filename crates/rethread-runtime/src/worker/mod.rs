//! Running tasks: pools fetch orders of their queues, workers run the bodies, one desk hands in
//! what comes of them.
//!
//! ```text
//!  queue ──fetch──► WorkerPool ──► WorkerActor ──► attempt (a tokio task each)
//!                                                    │ events, then the report
//!  inbox ◄──────────────── hand-in desk ◄────────────┘
//! ```

mod attempt;
mod body;
mod desk;
mod fetch;
mod heartbeat;
mod pool;
mod side;
mod worker_actor;

pub(crate) use pool::{PoolSeat, WorkerPoolMessage};
pub(crate) use side::{WorkerProcess, WorkerSettings};
