//! A run fails, what it needed is mended, and it goes on: what was finished is not done again.
//!
//! ```sh
//! cargo run --example resume
//! ```

use std::sync::atomic::{AtomicBool, Ordering};

use rethread::prelude::*;
use rethread::{App, ClientError, Embedded, Outcome};

/// A service outside of Rethread, which is down at first.
static IS_SERVICE_UP: AtomicBool = AtomicBool::new(false);

#[task]
async fn slow_work(n: u64) -> Result<u64> {
    println!("slow work on {n}");
    Ok(n * n)
}

#[task]
async fn publish(n: u64) -> Result<String> {
    if !IS_SERVICE_UP.load(Ordering::Relaxed) {
        return Err(Error::new("ServiceDown", "nobody publishes anything today"));
    }
    Ok(format!("published {n}"))
}

#[entrypoint]
async fn report(n: u64) -> Result<String> {
    let result = slow_work(n).await?;
    publish(result).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(report::def()).task(slow_work::def()).task(publish::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();

    match thread.invoke(report::def(), 12).await {
        Err(ClientError::RunFailed(failure)) => println!("failed: {}", failure.message),
        other => println!("this was not expected: {other:?}"),
    }

    IS_SERVICE_UP.store(true, Ordering::Relaxed);
    if let Outcome::Done(text) = thread.retry().typed::<String>().await? {
        println!("{text}");
    }
    engine.shutdown().await?;
    Ok(())
}
