extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task]
async fn square(n: u64) -> Result<u64> {
    Ok(n * n)
}

#[entrypoint]
async fn body(text: String) -> Result<u64> {
    square(text).await
}

fn main() {}
