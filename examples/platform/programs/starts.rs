use rethread::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Starts {
    count: u32,
}

/// Counts a start of a task's body, and gives how many that makes for the key. Kept in the
/// store, since the next start may be on another worker.
pub(crate) async fn count(task: &str, key: &str) -> Result<u32> {
    let (store, namespace) = (store()?, ["starts", task]);
    let starts = store.get::<Starts>(namespace, key).await?;
    let count = starts.map_or(0, |item| item.value.count) + 1;
    store.put(namespace, key, &Starts { count }).await?;
    Ok(count)
}

/// How many starts were counted so far.
pub(crate) async fn so_far(task: &str, key: &str) -> Result<u32> {
    let starts = store()?.get::<Starts>(["starts", task], key).await?;
    Ok(starts.map_or(0, |item| item.value.count))
}
