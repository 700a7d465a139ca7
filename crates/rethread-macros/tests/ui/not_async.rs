extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task]
fn square(n: u64) -> Result<u64> {
    Ok(n * n)
}

fn main() {}
