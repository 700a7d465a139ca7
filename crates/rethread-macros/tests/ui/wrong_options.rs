extern crate rethread_sdk as rethread;

use rethread::prelude::*;

fn by_text(text: &(String,)) -> String {
    text.0.clone()
}

#[task(cache = "1h")]
async fn a() -> Result<()> {
    Ok(())
}

#[task(cache = Cache::forever(), cache_key = by_text)]
async fn b(n: u64) -> Result<u64> {
    Ok(n)
}

#[entrypoint(history = true)]
async fn c(_input: ()) -> Result<()> {
    Ok(())
}

#[entrypoint(retry = Retry::attempts(2).when(|error| error.message()))]
async fn d(_input: ()) -> Result<()> {
    Ok(())
}

fn main() {}
