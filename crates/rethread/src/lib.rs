//! Durable execution for ordinary async functions.
//!
//! Write an **entrypoint** (plain control flow) that calls **tasks** (work whose results are
//! recorded). It can [`interrupt`] and wait days for a person; on resume, after an error and
//! after any crash it is replayed from the top, and every recorded result is returned instead of
//! being computed again.
//!
//! ```
//! use rethread::prelude::*;
//! use rethread::{App, Embedded, Outcome};
//! use serde::{Deserialize, Serialize};
//!
//! #[task]
//! async fn write_essay(topic: String) -> Result<String> {
//!     Ok(format!("An essay about topic: {topic}"))
//! }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! struct Review {
//!     essay: String,
//!     is_approved: bool,
//! }
//!
//! #[entrypoint]
//! async fn workflow(topic: String) -> Result<Review> {
//!     let essay = write_essay(topic).await?;
//!     let is_approved = interrupt(json!({ "essay": essay, "action": "Please review" })).await?;
//!     Ok(Review { essay, is_approved })
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let app = App::new().entrypoint(workflow::def()).task(write_essay::def());
//! let engine = Embedded::in_memory(app).await?;
//! let thread = engine.client().thread("essay-1")?;
//!
//! let outcome = thread.invoke(workflow::def(), "cat".into()).await?;
//! assert_eq!(outcome.interrupts().len(), 1);
//! let outcome = thread.resume(true).typed::<Review>().await?;
//! let essay = "An essay about topic: cat".to_owned();
//! assert_eq!(outcome, Outcome::Done(Review { essay, is_approved: true }));
//! engine.shutdown().await?;
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! | to | use |
//! |---|---|
//! | write tasks and entrypoints | [`task`], [`entrypoint`], [`prelude`] |
//! | write graphs | [`StateGraph`], [`State`], [`graph`], where its `Node` and `Send` stand |
//! | run them in this process | [`Embedded`] |
//! | offer them as services | [`App::main`] |
//! | serve them over HTTP | [`Embedded::gateway`], or `gateway` and `dev --http` of [`App::main`] |
//! | start, resume and watch runs | [`Client`], [`Thread`]; [`blocking`] without a runtime |
//! | what is rarely named, and JSON | [`client`] |

mod app;
mod cli;
mod console;
mod embedded;
mod http;
mod operations;
mod queues;
mod service;
mod settings;
mod storage;
mod telemetry;

pub use app::App;
pub use console::{Console, ConsoleError};
pub use embedded::{Embedded, EmbeddedOptions};
pub use service::ServiceError;
pub use settings::{DataSync, LogFormat, SecretText, SecretUrl, Settings, SettingsError};
pub use telemetry::init as init_telemetry;

pub use rethread_client::{
    self as client, AnyValue, Cached, CheckpointId, Client, ClientError, ClientOptions,
    CommandInput, Cursor, Ephemeral, Failure, HistoryQuery, InterruptId, Mode, OpenInterrupt,
    OpenInterrupts, Outcome, Refusal, Request, RunDurability, RunHandle, RunStream, Scalar, Source,
    StateQuery, StateSnapshot, StreamData, StreamEvent, TaskEnd, TaskState, Thread, ThreadStatus,
    UpdateRequest, blocking,
};
pub use rethread_core::ids::NodeId;
pub use rethread_core::thread::Limits;
pub use rethread_gateway::{self as gateway, Gateway, GatewayOptions};
pub use rethread_graph::{
    self as graph, Branch, Command, END, Field, Graph, GraphError, Message, Messages,
    MessagesState, MessagesStateUpdate, Overwrite, Reducer, Route, START, Sent, State, StateGraph,
    ToolCall, Values, add_messages,
};
pub use rethread_runtime::{Node, NodeError, NodeOptions, PoolOptions};
pub use rethread_sdk::*;
pub use rethread_storage::store::{Embed, StoreIndex};
pub use rethread_storage::{Clock, Storage, StorageError, disk, memory};

/// The program of the README compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[doc(hidden)]
pub use rethread_graph::__private as __graph;

/// What programs name all the time: `use rethread::prelude::*`.
///
/// Nothing in it hides a name of std: the `Send` of graphs is [`graph::Send`].
pub mod prelude {
    pub use rethread_graph::{Command, END, START, State, StateGraph};
    pub use rethread_sdk::prelude::*;
}

#[doc(hidden)]
pub mod __private {
    pub use crate::cli::operators_main;
    pub use rethread_sdk::__private::*;
}
