//! Tasks one after the other, what a body tells its watchers, and an entrypoint within another.

use rethread::prelude::*;
use serde::{Deserialize, Serialize};

#[task]
pub(crate) async fn add_one(n: i64) -> Result<i64> {
    Ok(n + 1)
}

#[task]
pub(crate) async fn add_two(n: i64) -> Result<i64> {
    Ok(n + 2)
}

#[entrypoint]
pub(crate) async fn add_numbers(numbers: Vec<i64>) -> Result<Vec<i64>> {
    emit("hello")?;
    let mut results = Vec::new();
    for n in numbers {
        emit(json!({ "processing": n }))?;
        results.push(add_two(add_one(n).await?).await?);
    }
    emit("world")?;
    Ok(results)
}

/// The result of [`parent`].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Parent {
    pub child: i64,
}

#[entrypoint]
pub(crate) async fn child(x: i64) -> Result<i64> {
    add_one(x).await
}

#[entrypoint]
pub(crate) async fn parent(x: i64) -> Result<Parent> {
    Ok(Parent { child: child(x).await? })
}
