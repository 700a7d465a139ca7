extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[entrypoint]
async fn two(a: u8, _previous: Previous<u8>, b: u8) -> Result<u8> {
    Ok(a + b)
}

#[entrypoint]
async fn none() -> Result<()> {
    Ok(())
}

#[entrypoint]
async fn twice(_input: (), _a: Previous<u8>, _b: Previous<u8>) -> Result<()> {
    Ok(())
}

fn main() {}
