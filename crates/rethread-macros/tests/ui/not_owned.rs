extern crate rethread_sdk as rethread;

use rethread::prelude::*;

#[task]
async fn text(text: &str) -> Result<usize> {
    Ok(text.len())
}

#[task]
async fn any(value: impl ToString) -> Result<String> {
    Ok(value.to_string())
}

#[task]
async fn generic<T: Send>(value: T) -> Result<()> {
    drop(value);
    Ok(())
}

struct Service;

impl Service {
    #[task]
    async fn method(self) -> Result<()> {
        Ok(())
    }
}

fn main() {}
