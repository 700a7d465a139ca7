//! The names that nearly every file with tasks or entrypoints uses.
//!
//! `Result` is [`crate::Result`] here: one type parameter is enough, two work as ever.

pub use crate::{
    Call, Entrypoint, Error, Final, Previous, Result, Retry, RetryOn, Task, emit, entrypoint,
    idempotency_key, interrupt, local, now, previous, run_info, sleep, task,
};

#[cfg(feature = "json")]
pub use crate::json;
