extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task(retries = 3)]
async fn square(n: u64) -> Result<u64> {
    Ok(n * n)
}

#[entrypoint(timeout = "1s")]
async fn body(n: u64) -> Result<u64> {
    Ok(n)
}

fn main() {}
