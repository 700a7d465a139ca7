//! A task that fails a few times, and is tried again.

use std::time::Duration;

use rethread::prelude::*;
use serde::{Deserialize, Serialize};

use super::starts;

/// How often the task fails, counted over all runs with the same key.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Flaw {
    pub key: String,
    pub fail_times: u32,
}

/// Which attempt succeeded.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Attempts {
    pub attempts: u32,
}

#[task(retry = Retry::attempts(3).initial_interval(Duration::from_millis(50)).jitter(false))]
pub(crate) async fn flaky_task(key: String, fail_times: u32) -> Result<Attempts> {
    let attempt = starts::count("flaky_task", &key).await?;
    emit(json!({ "attempt": attempt }))?;
    if attempt <= fail_times {
        return Err(Error::new("Flaw", format!("Failure {attempt}")));
    }
    Ok(Attempts { attempts: attempt })
}

#[entrypoint]
pub(crate) async fn flaky(flaw: Flaw) -> Result<Attempts> {
    flaky_task(flaw.key, flaw.fail_times).await
}
