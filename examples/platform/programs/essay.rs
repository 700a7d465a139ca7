//! A person approves what was written.

use std::time::Duration;

use rethread::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What the review came to.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Review {
    pub essay: String,
    /// Whatever the person answered.
    pub is_approved: Json,
}

#[task]
pub(crate) async fn write_essay(topic: String) -> Result<String> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(format!("An essay about topic: {topic}"))
}

#[entrypoint]
pub(crate) async fn essay(topic: String) -> Result<Review> {
    let essay = write_essay(topic).await?;
    let is_approved = interrupt(json!({
        "essay": essay,
        "action": "Please approve/reject the essay",
    }))
    .await?;
    Ok(Review { essay, is_approved })
}
