//! A run that takes its time, to be watched, joined and cancelled.

use std::time::Duration;

use rethread::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Ticks {
    pub ticks: u32,
    #[serde(default)]
    pub tag: Option<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub done: u32,
    pub tag: Option<String>,
    /// The tag of the last run on the thread that was done.
    pub previous: Option<String>,
}

#[task]
pub(crate) async fn tick(i: u32) -> Result<u32> {
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(i)
}

/// Takes any `previous`: a client may have set the state of the thread to something else.
#[entrypoint]
pub(crate) async fn slow(input: Ticks, previous: Previous<Json>) -> Result<Done> {
    for i in 0..input.ticks {
        let i = tick(i).await?;
        emit(json!({ "tick": i }))?;
    }
    let previous = previous.into_inner().and_then(|done| Some(done["tag"].as_str()?.to_owned()));
    Ok(Done { done: input.ticks, tag: input.tag, previous })
}
