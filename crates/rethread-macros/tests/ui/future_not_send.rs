use std::rc::Rc;

extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task]
async fn wait() -> Result<()> {
    Ok(())
}

#[entrypoint]
async fn body(n: u8) -> Result<u8> {
    let shared = Rc::new(n);
    wait().await?;
    Ok(*shared)
}

fn main() {}
