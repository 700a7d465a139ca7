//! The decisions of Rethread, with no I/O, no clock and no randomness.
//!
//! ```text
//!   message ──►  thread::ThreadMachine  ──►  thread::Effect
//!                   │        ▲
//!          delivers │        │ asks (calls, questions, events)
//!                   ▼        │
//!                 replay::Body  =  the user's future in its replay::Scope
//! ```
//!
//! | to learn about | read |
//! |---|---|
//! | what can happen to a thread and what it asks for | [`thread`], [`thread::Effect`] |
//! | why a replay takes the same path | [`replay`], [`journal`] |
//! | what a step of a graph is to the engine | [`graph`] |
//! | what is stored | [`record`], [`header`], [`journal`], [`checkpoint`], [`event`] |
//! | what travels | [`message`] |
//! | who is who | [`ids`] |
//!
//! Deliberately not here: tokio, ractor, Redis, any clock and any source of randomness. Times and
//! random ids are arguments; maps are ordered; bodies are polled by a plain function call.
//!
//! Numbers such as D07 in comments are rows of `docs/langgraph-differences.md`.

pub mod cache;
pub mod canonical;
pub mod checkpoint;
pub mod dead_letter;
pub mod event;
pub mod extension;
pub mod failure;
pub mod graph;
pub mod header;
pub mod ids;
pub mod journal;
pub mod message;
pub mod outlook;
pub mod parts;
pub mod payload;
pub mod planted;
pub mod policy;
pub mod record;
pub mod replay;
pub mod retry;
pub mod settings;
pub mod store;
pub mod tenant;
pub mod thread;
pub mod worker_card;
