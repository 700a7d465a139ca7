extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task(retries = 3)]
async fn square(n: u64) -> Result<u64> {
    Ok(n * n)
}

#[entrypoint(queue = "gpu")]
async fn body(n: u64) -> Result<u64> {
    Ok(n)
}

#[task(history = History::Thread)]
async fn kept(n: u64) -> Result<u64> {
    Ok(n)
}

fn main() {}
