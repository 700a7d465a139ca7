//! What a thread remembers of its last run.

use rethread::prelude::*;

/// Returns the total before this run, and saves the one after it.
#[entrypoint]
pub(crate) async fn accumulate(n: i64, previous: Previous<i64>) -> Result<Final<i64, i64>> {
    let total = previous.unwrap_or_default();
    Ok(Final::new(total, total + n))
}
