extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task]
async fn previous_in_task(previous: Previous<u8>) -> Result<Option<u8>> {
    Ok(previous.into_inner())
}

#[task]
async fn final_of_task(n: u8) -> Result<Final<u8, u8>> {
    Ok(Final::new(n, n))
}

#[task]
async fn nine(_a: u8, _b: u8, _c: u8, _d: u8, _e: u8, _f: u8, _g: u8, _h: u8, _i: u8) -> Result<()> {
    Ok(())
}

fn main() {}
