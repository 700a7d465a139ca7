//! An entrypoint calls others: each has its own tasks and questions.
//!
//! ```sh
//! cargo run --example child
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};

#[task]
async fn price_of(article: String) -> Result<u32> {
    println!("looking up the price of {article}");
    Ok(u32::try_from(article.len())? * 10)
}

/// Usable alone, and as a part of others.
#[entrypoint]
async fn quote(article: String) -> Result<u32> {
    let price = price_of(article.clone()).await?;
    if price < 50 {
        return Ok(price);
    }
    // A question of a child pauses the whole run.
    interrupt(json!({ "article": article, "price": price, "your_price": "a number" })).await
}

#[entrypoint]
async fn shopping(articles: Vec<String>) -> Result<u32> {
    let quotes: Vec<_> = articles.into_iter().map(quote).collect(); // all of them run
    let mut total = 0;
    for quote in quotes {
        total += quote.await?;
    }
    Ok(total)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new().entrypoint(shopping::def()).entrypoint(quote::def()).task(price_of::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let articles = ["egg", "butter", "bread", "milk"].map(String::from).to_vec();

    let outcome = thread.invoke(shopping::def(), articles).await?;
    let mut answers = Vec::new();
    for question in outcome.interrupts() {
        println!("{}", question.value.to_json()?);
        answers.push((question.id, 45));
    }
    // All open questions are answered at once; prices are not looked up again.
    if let Outcome::Done(total) = thread.resume_by_id(answers).typed::<u32>().await? {
        println!("total: {total}");
    }
    engine.shutdown().await?;
    Ok(())
}
