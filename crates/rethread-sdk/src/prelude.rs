//! The names that nearly every file with tasks or entrypoints uses.
//!
//! `Result` is [`crate::Result`] here: one type parameter is enough, two work as ever.

pub use crate::{
    Cache, Call, Context, Dep, Entrypoint, Error, Filter, Final, History, Previous, Result, Retry,
    RetryOn, Store, Task, config, context, dep, emit, emit_message, entrypoint, heartbeat,
    idempotency_key, interrupt, last_progress, local, now, previous, random, run_info, sleep,
    store, task,
};

#[cfg(feature = "json")]
pub use crate::json;
