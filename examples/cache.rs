//! A slow task is done once for equal arguments, on whatever thread, for as long as it says.
//!
//! ```sh
//! cargo run --example cache
//! ```

use std::time::Duration;

use rethread::client::Cached;
use rethread::prelude::*;
use rethread::{App, Client, Embedded, Outcome};

#[task(cache = Cache::ttl(Duration::from_secs(120)))]
async fn slow_add(a: i64, b: i64) -> Result<i64> {
    println!("adding {a} and {b}");
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(a + b)
}

#[entrypoint]
async fn add((a, b): (i64, i64)) -> Result<i64> {
    slow_add(a, b).await
}

async fn add_on_a_new_thread(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    if let Outcome::Done(sum) = client.new_thread().invoke(add::def(), (1, 2)).await? {
        println!("1 + 2 = {sum}");
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(add::def()).task(slow_add::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let client = engine.client();
    client.clear_cache(Cached::task("slow_add")).await?; // of an earlier try
    add_on_a_new_thread(client).await?;
    println!("-- again");
    add_on_a_new_thread(client).await?;
    println!("-- after the cache was cleared");
    client.clear_cache(Cached::task("slow_add")).await?;
    add_on_a_new_thread(client).await?;
    engine.shutdown().await?;
    Ok(())
}
