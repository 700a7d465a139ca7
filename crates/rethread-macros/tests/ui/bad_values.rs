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

#[entrypoint(idle_timeout = "0s")]
async fn g(_input: ()) -> Result<()> {
    Ok(())
}

#[entrypoint(name = "__input__")]
async fn h(_input: ()) -> Result<()> {
    Ok(())
}

#[task(version = 2)]
async fn i() -> Result<()> {
    Ok(())
}

#[entrypoint(timeout = "1s", timeout = "2s")]
async fn j(_input: ()) -> Result<()> {
    Ok(())
}

fn main() {}
