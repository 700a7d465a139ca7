extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task]
async fn square(n: u64) -> u64 {
    n * n
}

#[entrypoint]
async fn nothing(_input: ()) {}

fn main() {}
