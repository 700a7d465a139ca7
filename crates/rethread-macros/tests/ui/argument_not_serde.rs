extern crate rethread_sdk as rethread;

use rethread::prelude::*;

struct Handle {
    _id: u64,
}

#[task]
async fn read(handle: Handle) -> Result<()> {
    drop(handle);
    Ok(())
}

fn main() {}
