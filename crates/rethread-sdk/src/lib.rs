//! What an application writes with Rethread.
//!
//! A *task* is an async function whose result is recorded: once it has given one, no crash and
//! no replay runs it again. An *entrypoint* is an async function that calls tasks and is run
//! again from its top to bring it back to where it was. Both are ordinary functions with an
//! attribute, [`task`] and [`entrypoint`], or are made by hand with [`Task::new`] and
//! [`Entrypoint::new`].
//!
//! ```
//! # extern crate rethread_sdk as rethread;
//! use rethread::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Review {
//!     essay: String,
//!     is_approved: bool,
//! }
//!
//! #[task(retry = Retry::attempts(3), timeout = "30s")]
//! async fn write_essay(topic: String) -> Result<String> {
//!     Ok(format!("An essay about topic: {topic}"))
//! }
//!
//! #[entrypoint]
//! async fn workflow(topic: String) -> Result<Review> {
//!     let essay = write_essay(topic).await?;
//!     let is_approved: bool = interrupt(json!({ "essay": essay })).await?;
//!     Ok(Review { essay, is_approved })
//! }
//!
//! # use rethread::Registry;
//! let registry = Registry::builder().entrypoint(workflow::def()).task(write_essay::def()).build()?;
//! # assert_eq!(registry.task_names().collect::<Vec<_>>(), ["write_essay"]);
//! # Ok::<(), rethread::RegistryError>(())
//! ```
//!
//! What a body reaches of its run is there as plain functions. Some of it can be a parameter too,
//! which the attributes fill and no caller passes.
//!
//! | for | function | parameter |
//! |---|---|---|
//! | a question to a person | [`interrupt`] | |
//! | events, tokens of a model | [`emit()`], [`emit_message`] | |
//! | the value that the last run saved | [`previous()`] | [`Previous<S>`](Previous) |
//! | what the caller set for the run | [`config()`], [`run_info`] | |
//! | the object that the caller gave with the run | [`context()`] | [`Context<C>`](Context) |
//! | what the program provides | [`dep`] | [`Dep<D>`](Dep) |
//! | memory across threads | [`store()`] | [`Store`] |
//! | time, waiting, chance | [`now`], [`sleep`], [`random()`] | |
//! | progress of a long task | [`heartbeat`], [`last_progress`] | |
//! | other services | [`idempotency_key`], [`local`] | |
//!
//! Not here: running anything. A [`Registry`] holds the code; coordinators poll entrypoints and
//! workers run tasks.

mod args;
mod awaited;
mod call;
mod config;
mod context;
mod emit;
mod entrypoint;
mod entrypoint_ref;
mod error;
mod handler;
mod inject;
mod interrupt;
mod options;
mod outside;
mod previous;
mod progress;
mod provided;
mod random;
mod registry;
mod retry;
mod returns;
mod run_context;
mod schemas;
mod steps;
mod store;
mod task;
mod task_ref;
pub mod trace;
mod value;

#[doc(hidden)]
pub mod __private;
pub mod prelude;

pub use args::Args;
pub use call::Call;
pub use config::{Config, config};
pub use context::{RunInfo, idempotency_key, local, now, run_info, sleep};
pub use emit::{emit, emit_message};
pub use entrypoint::Entrypoint;
pub use entrypoint_ref::EntrypointRef;
pub use error::{Error, Result};
pub use handler::Handler;
pub use interrupt::{Interrupt, interrupt};
pub use options::OptionError;
pub use previous::{Previous, previous};
pub use progress::{heartbeat, last_progress};
pub use provided::{Dep, dep};
pub use random::{Random, random};
pub use registry::{Registry, RegistryBuilder, RegistryError};
pub use retry::{IntoRetries, Retry};
pub use returns::{EntrypointReturns, Final, Plain, Returns, Saved};
pub use run_context::{Context, context};
pub use steps::{Bundle, Steps};
pub use store::{
    Filter, Get, IntoNamespace, Item, ListNamespaces, Put, Store, StoreBackend, StoreCall,
    StoreFuture, StoreSearch, store,
};
pub use task::{Task, TaskDef, TaskFuture};
pub use task_ref::TaskRef;
pub use value::Value;

pub use rethread_core::failure::kind;
pub use rethread_core::ids::{ExecutionId, QueueName, RunId, ThreadId};
pub use rethread_core::policy::{Cache, History, RetryOn};
pub use rethread_macros::{entrypoint, task};

#[cfg(feature = "schemas")]
pub use schemars;
#[cfg(feature = "json")]
pub use serde_json::json;
