//! The HTTP API of Rethread, as clients of LangGraph's server speak it.
//!
//! ```text
//!   langgraph-sdk, useStream,   ──HTTP──►  Gateway ──► rethread-client ──► storage
//!   RemoteGraph, curl                         │
//!                                             └──► records in the long-term store:
//!                                                  assistants, threads, runs
//! ```
//!
//! A gateway has no user code in it and no state: everything it knows it reads from the storage,
//! so any number of them may stand behind a balancer. It makes requests through
//! [`rethread_client`], as every other client does.
//!
//! | module | what it is |
//! |---|---|
//! | `operation`, `openapi` | an operation: its handler and its description, in one place |
//! | `shared`, `caller`, `extract`, `error` | what handlers get, and how they refuse |
//! | `auth`, `hosts`, `cors`, `limits`, `listener` | what stands before every operation |
//! | `meters` | what was answered |
//! | `records` | what is kept of assistants, threads and runs |
//! | `standing` | how far a run has come |
//! | `coordinators` | waiting for what only a coordinator can do |
//! | `meta`, `assistants`, `threads`, `runs`, `state`, `store` | the operations |
//! | `sse` | what happens in a run, as events |
//! | `thread_stream`, `protocol` | what happens in all runs of a thread, in two forms |
//! | `webhooks` | telling others that a run is over |
//! | `notices` | word between gateways |
//!
//! Not here: running anything. Coordinators and workers do that.

// What the macros of the test programs name.
#[cfg(test)]
extern crate rethread_sdk as rethread;

mod again;
mod assistants;
mod auth;
mod caller;
mod coordinators;
mod cors;
mod crons;
mod error;
mod extract;
mod gateway;
mod hosts;
mod ids;
mod json;
mod limits;
mod listener;
mod meta;
mod meters;
mod notices;
mod openapi;
mod operation;
mod options;
mod page;
mod protocol;
mod records;
mod routes;
mod runs;
mod shared;
mod sse;
mod standing;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod thread_stream;
mod threads;
mod times;
mod webhooks;

pub use auth::{
    Auth, CreatedToken, GatewayError, Scope, TokenError, TokenInfo, TokenRequest, Tokens,
    UnknownScope,
};
pub use gateway::Gateway;
pub use listener::{Pace, serve_router};
pub use meters::{GatewayMeters, GatewaySnapshot, OperationSnapshot};
pub use options::GatewayOptions;
pub use webhooks::{InvalidWebhookSecret, WebhookRules, WebhookSecret};
