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
//! What a body reaches of its run (questions, events, the time, the value saved before) are
//! plain functions: [`interrupt`], [`emit`], [`now`], [`previous()`] and others.
//!
//! Not here: running anything. A [`Registry`] holds the code; coordinators poll entrypoints and
//! workers run tasks.

mod args;
mod awaited;
mod call;
mod context;
mod entrypoint;
mod error;
mod handler;
mod interrupt;
mod outside;
mod previous;
mod registry;
mod returns;
mod task;
mod task_ref;
mod value;

#[doc(hidden)]
pub mod __private;
pub mod prelude;

pub use args::Args;
pub use call::Call;
pub use context::{RunInfo, emit, idempotency_key, local, now, run_info, sleep};
pub use entrypoint::{Entrypoint, EntrypointRef};
pub use error::{Error, Result};
pub use handler::Handler;
pub use interrupt::{Interrupt, interrupt};
pub use previous::{Previous, previous};
pub use registry::{Registry, RegistryBuilder, RegistryError};
pub use returns::{EntrypointReturns, Final, Plain, Returns, Saved};
pub use task::{Task, TaskDef, TaskFuture};
pub use task_ref::{IntoRetries, TaskRef};
pub use value::Value;

pub use rethread_core::failure::kind;
pub use rethread_core::ids::{QueueName, RunId, ThreadId};
pub use rethread_core::policy::{Retry, RetryOn};
pub use rethread_macros::{entrypoint, task};

#[cfg(feature = "json")]
pub use serde_json::json;
