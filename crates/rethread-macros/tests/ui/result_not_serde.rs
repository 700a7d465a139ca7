extern crate rethread_sdk as rethread;

use rethread::prelude::*;

struct Report;

#[task]
async fn report() -> Result<Report> {
    Ok(Report)
}

#[entrypoint]
async fn body(n: u8) -> Result<Final<u8, Report>> {
    Ok(Final::new(n, Report))
}

fn main() {}
