extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task]
async fn square(n: u64) -> Result<u64> {
    Ok(format!("{n}"))
}

fn main() {}
