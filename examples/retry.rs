//! A task that fails now and then is tried again; one that can never succeed is not.
//!
//! ```sh
//! cargo run --example retry
//! ```

use std::time::Duration;

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};

/// Answers the third time it is asked.
#[task(retry = Retry::attempts(5).initial_interval(Duration::from_millis(50)).jitter(false))]
async fn fetch(name: String) -> Result<String> {
    let attempt = run_info()?.attempt;
    println!("fetch, attempt {attempt}");
    if attempt < 3 {
        return Err(Error::new("ConnectionError", format!("`{name}` does not answer")));
    }
    Ok(format!("the facts about {name}"))
}

/// Says of its error that trying again is of no use.
#[task(retry = Retry::attempts(5))]
async fn charge(card: String) -> Result<String> {
    println!("charge, attempt {}", run_info()?.attempt);
    Err(Error::new("Declined", format!("card {card} was declined")).retryable(false))
}

/// A failed task is an error like any other: the entrypoint may handle it.
#[entrypoint]
async fn order(name: String) -> Result<String> {
    let facts = fetch(name).await?;
    match charge("1234".into()).await {
        Ok(receipt) => Ok(format!("{facts}, paid: {receipt}")),
        Err(error) if error.kind() == "Declined" => Ok(format!("{facts}, not paid: {error}")),
        Err(error) => Err(error),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(order::def()).task(fetch::def()).task(charge::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    if let Outcome::Done(text) = thread.invoke(order::def(), "owls".into()).await? {
        println!("{text}");
    }
    engine.shutdown().await?;
    Ok(())
}
