//! What the examples share: a chat model, and a person who answers.
//!
//! The examples are the files beside this folder; `cargo run --example <name>` runs one. What
//! each of them shows and what is guaranteed is told in `docs/guide`.

#[cfg(doctest)]
mod guide;
pub mod model;
mod person;

pub use person::person;
