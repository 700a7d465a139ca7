//! A number is looked at by one task and described by another.
//!
//! ```sh
//! cargo run --example classifier
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};

#[task]
async fn is_even(number: i64) -> Result<bool> {
    Ok(number % 2 == 0)
}

#[task]
async fn message(is_even: bool) -> Result<String> {
    let kind = if is_even { "even" } else { "odd" };
    Ok(format!("The number is {kind}."))
}

/// Plain control flow around the tasks.
#[entrypoint]
async fn classify(number: i64) -> Result<String> {
    message(is_even(number).await?).await
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(classify::def()).task(is_even::def()).task(message::def());
    let engine = Embedded::open(app, ".rethread").await?;
    for number in [7, 42] {
        let thread = engine.client().new_thread();
        if let Outcome::Done(text) = thread.invoke(classify::def(), number).await? {
            println!("{number}: {text}");
        }
    }
    engine.shutdown().await?;
    Ok(())
}
