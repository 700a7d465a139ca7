//! What the clock says is read in a task, so that every replay takes the same path.
//!
//! ```sh
//! cargo run --example time
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};

/// The clock, in milliseconds since 1970. As a task it is recorded: a replay finds what the
/// clock said when the body came here first.
#[task]
async fn clock() -> Result<u64> {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(u64::try_from(since_epoch.as_millis())?)
}

const HOUR_MS: u64 = 3_600_000;

/// An offer that holds for an hour.
#[entrypoint]
async fn offer(price: u32) -> Result<String> {
    let offered_at = clock().await?;
    // This line runs again when the answer is there, and prints the same time.
    println!("offered at {offered_at} ms");

    let is_accepted: bool = interrupt(json!({ "price": price, "accept": "true or false" })).await?;

    let answered_at = clock().await?;
    Ok(match (is_accepted, answered_at - offered_at <= HOUR_MS) {
        (true, true) => format!("sold for {price}"),
        (true, false) => "too late".to_owned(),
        (false, _) => "not sold".to_owned(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(offer::def()).task(clock::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let outcome = thread.invoke(offer::def(), 30).await?;
    println!("{} question is open", outcome.interrupts().len());
    if let Outcome::Done(text) = thread.resume(true).typed::<String>().await? {
        println!("{text}");
    }
    engine.shutdown().await?;
    Ok(())
}
