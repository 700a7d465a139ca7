//! Running tasks: pools fetch orders of their queues, workers run the bodies, one desk hands in
//! what comes of them.
//!
//! ```text
//!  queue ──fetch──► WorkerPool ──► WorkerActor ──► attempt (a tokio task each)
//!                                                    │ events, then the report
//!  inbox ◄──────────────── hand-in desk ◄────────────┤
//!  mail ─────────── how its calls ended ─────────────┘
//! ```
//!
//! Events leave at once after a quiet moment, and are collected for a few milliseconds while a
//! body writes often. The order of what one attempt writes and calls is kept.
//!
//! A body may make calls of its own. They go to the inbox like events; how they end comes by
//! mail, which may get lost, so an attempt that waits asks again. While its body waits for them
//! it gives its slot back, as it does while it waits for an equal call that fills the cache. What
//! it asks of the store the worker does itself.

mod attempt;
mod body;
mod calls;
mod cancels;
mod collecting;
mod deadlines;
mod desk;
mod drive;
mod duty;
mod fetch;
mod heard;
mod heartbeat;
mod mail;
mod pool;
mod progress;
mod said;
mod side;
mod slots;
mod store_calls;
mod unknown_tasks;
mod worker_actor;

pub(crate) use pool::{PoolSeat, WorkerPoolMessage};
pub(crate) use side::{WorkerProcess, WorkerSettings};
