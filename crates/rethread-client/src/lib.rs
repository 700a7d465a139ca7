//! Starts, resumes and watches runs of Rethread from any program.
//!
//! ```text
//!   Client ── thread ──► Thread ── invoke, resume, retry, command ──► Request
//!                          │                                            │ .await   .start()   .stream()
//!                   state, history, status                              ▼            ▼           ▼
//!                   update_state, fork, copy_to                      Outcome     RunHandle   RunStream
//!                   cancel, roll_back, delete, prune
//! ```
//!
//! A client needs the names and types of entrypoints ([`EntrypointRef`]), not their code. It
//! speaks to a storage only: a request goes into the inbox of the thread's partition, and what
//! comes of it is read from the run's event log. So a run goes on without its client, and any
//! number of clients may watch it, now or later.
//!
//! ```no_run
//! use rethread_client::{Client, EntrypointRef, Mode, Outcome, StreamData};
//! use futures::StreamExt;
//!
//! # async fn example() -> Result<(), rethread_client::ClientError> {
//! let workflow = EntrypointRef::<String, String>::named("workflow");
//! # #[cfg(feature = "redis")]
//! let client = Client::connect("redis://127.0.0.1/").await?;
//! # #[cfg(not(feature = "redis"))]
//! # let client = Client::from_storage(std::sync::Arc::new(rethread_storage::memory::MemoryStorage::new(1)));
//! let thread = client.thread("essay-1")?;
//! match thread.invoke(workflow, "cat".into()).await? {
//!     Outcome::Done(essay) => println!("{essay}"),
//!     Outcome::Interrupted(asks) => {
//!         for ask in asks {
//!             println!("{}: {}", ask.id, ask.value.to_json()?);
//!         }
//!         let mut events = thread.resume(true).stream([Mode::Updates, Mode::Custom]).await?;
//!         while let Some(event) = events.next().await {
//!             if let StreamData::Update { name, value, .. } = event?.data {
//!                 println!("{name} gave {}", value.to_json()?);
//!             }
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! | to learn about | read |
//! |---|---|
//! | one run and its settings | [`Request`], [`RunHandle`], [`RunStream`] |
//! | what a thread has come to, and editing it | [`Thread`], [`StateQuery`], [`StateSnapshot`], [`UpdateRequest`] |
//! | what only graphs have | [`CommandInput`], [`Request::interrupt_before`], [`StateQuery::subgraphs`] |
//! | runs that leave nothing behind | [`Client::ephemeral`] |
//! | what operators see and do | [`admin`] |
//! | programs without types | [`json`] |
//! | programs without a runtime | [`blocking`] |
//!
//! Not here: running anything, and HTTP.

mod address;
pub mod admin;
pub mod blocking;
mod cache;
mod client;
mod command;
mod draft;
mod ephemeral;
mod error;
mod events;
mod history;
pub mod json;
mod manage;
mod options;
mod outcome;
mod overview;
mod patience;
mod request;
mod run;
mod scalar;
mod search;
mod sizes;
mod state;
mod store;
mod stream;
mod thread;
mod update;
mod value;

pub use cache::Cached;
pub use client::Client;
pub use command::CommandInput;
pub use ephemeral::{Ephemeral, EphemeralRequest, EphemeralStream};
pub use error::{ClientError, Result};
pub use events::EventStream;
pub use history::HistoryQuery;
pub use options::ClientOptions;
pub use outcome::{OpenInterrupt, OpenInterrupts, Outcome};
pub use overview::ThreadOverview;
pub use request::Request;
pub use run::RunHandle;
pub use scalar::Scalar;
pub use state::{StateQuery, StateSnapshot, TaskState};
pub use stream::{Cursor, DebugKind, Mode, RunStream, StreamData, StreamEvent, TaskEnd};
pub use thread::Thread;
pub use update::UpdateRequest;
pub use value::AnyValue;

pub use rethread_core::checkpoint::Source;
pub use rethread_core::event::{Event, EventKind, Refusal, RunOutcome};
pub use rethread_core::failure::Failure;
pub use rethread_core::header::ThreadStatus;
pub use rethread_core::ids::{CallId, CheckpointId, InterruptId, Millis, RunId, ThreadId};
pub use rethread_core::message::Multitask;
pub use rethread_core::payload::{Payload, PayloadError};
pub use rethread_core::replay::ReplayMismatch;
pub use rethread_core::settings::RunDurability;
pub use rethread_sdk::{EntrypointRef, Filter, IntoNamespace, Item, Store};
pub use rethread_storage::StorageError;
pub use rethread_storage::store::{Embed, StoreIndex};
