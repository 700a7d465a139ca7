//! A slow task whose results are kept for a while.

use std::time::Duration;

use rethread::prelude::*;
use serde::{Deserialize, Serialize};

use super::starts;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sum {
    pub key: String,
    pub x: i64,
}

/// Both results, and how often the task has really run for the key.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub result1: i64,
    pub result2: i64,
    pub calls: u32,
}

#[task(cache = Cache::ttl(Duration::from_secs(120)))]
pub(crate) async fn slow_add(key: String, x: i64) -> Result<i64> {
    starts::count("slow_add", &key).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    Ok(x + 1)
}

#[entrypoint]
pub(crate) async fn cached(sum: Sum) -> Result<Sums> {
    let result1 = slow_add(sum.key.clone(), sum.x).await?;
    let result2 = slow_add(sum.key.clone(), sum.x).await?;
    let calls = starts::so_far("slow_add", &sum.key).await?;
    Ok(Sums { result1, result2, calls })
}
