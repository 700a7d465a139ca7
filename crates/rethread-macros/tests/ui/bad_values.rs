extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task(timeout = "30 seconds")]
async fn a() -> Result<()> {
    Ok(())
}

#[task(timeout = 30)]
async fn b() -> Result<()> {
    Ok(())
}

#[task(name = "")]
async fn c() -> Result<()> {
    Ok(())
}

#[task(queue = "x", queue = "y")]
async fn d() -> Result<()> {
    Ok(())
}

#[task(name)]
async fn e() -> Result<()> {
    Ok(())
}

#[task(retry = 3)]
async fn f() -> Result<()> {
    Ok(())
}

fn main() {}
