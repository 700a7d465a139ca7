//! The essay as a service: the same code as coordinators and workers on Redis.
//!
//! ```sh
//! cargo run --release --example service -- coordinator --redis redis://127.0.0.1/
//! cargo run --release --example service -- worker --redis redis://127.0.0.1/ --slots 16
//! cargo run --release --example service -- run workflow '"cat"' --redis redis://127.0.0.1/
//! ```

use std::process::ExitCode;
use std::time::Duration;

use rethread::App;
use rethread::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What the review came to.
#[derive(Debug, Serialize, Deserialize)]
struct Review {
    essay: String,
    is_approved: Json,
}

/// Writes an essay about the topic; it takes a moment.
#[task(retry = Retry::attempts(3), timeout = "30s")]
async fn write_essay(topic: String) -> Result<String> {
    tokio::time::sleep(Duration::from_millis(100)).await;
    Ok(format!("An essay about topic: {topic}"))
}

/// Has an essay written and asks for a review.
#[entrypoint]
async fn workflow(topic: String) -> Result<Review> {
    let essay = write_essay(topic).await?;
    let is_approved = interrupt(json!({
        "essay": essay,
        "action": "Please approve/reject the essay",
    }))
    .await?;
    Ok(Review { essay, is_approved })
}

fn main() -> ExitCode {
    App::new().entrypoint(workflow::def()).task(write_essay::def()).main()
}
