//! The programs that the tests run.

use std::time::Duration;

use rethread::Registry;
use rethread::prelude::*;
use serde_json::Value as Json;

/// Asks whether an essay is good.
#[entrypoint]
async fn essay(topic: String) -> Result<Json> {
    let essay = format!("An essay about topic: {topic}");
    let is_approved: Json = interrupt(json!({ "essay": essay })).await?;
    Ok(json!({ "essay": essay, "is_approved": is_approved }))
}

#[task]
async fn add_three(number: i64) -> Result<i64> {
    Ok(number + 3)
}

/// Takes a list and gives a list.
#[entrypoint]
async fn add_numbers(numbers: Vec<i64>) -> Result<Vec<i64>> {
    let mut sums = Vec::new();
    for number in numbers {
        sums.push(add_three(number).await?);
    }
    Ok(sums)
}

/// Gives what was saved, and saves more.
#[entrypoint]
async fn accumulate(number: i64, before: Previous<i64>) -> Result<Final<i64, i64>> {
    let before = before.unwrap_or(0);
    Ok(Final::new(before, before + number))
}

/// Fails.
#[entrypoint]
async fn boom(message: String) -> Result<()> {
    Err(Error::new("Boom", message).retryable(false))
}

/// Does not end by itself.
#[entrypoint]
async fn endless(_input: Json) -> Result<()> {
    sleep(Duration::from_secs(3_600)).await
}

/// Their names.
pub(crate) const NAMES: [&str; 5] = ["essay", "add_numbers", "accumulate", "boom", "endless"];

pub(crate) fn registry() -> Registry {
    Registry::builder()
        .entrypoint(essay::def())
        .entrypoint(add_numbers::def())
        .entrypoint(accumulate::def())
        .entrypoint(boom::def())
        .entrypoint(endless::def())
        .task(add_three::def())
        .build()
        .expect("a registry")
}
