//! Paragraphs are written at the same time and put together in order.
//!
//! ```sh
//! cargo run --example parallel
//! ```

use futures::future::try_join_all;
use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};
use rethread_examples::model::{Chat, Llm, Message, Reply};

#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn write_paragraph(topic: String, llm: Dep<Llm>) -> Result<String> {
    let chat = Chat::new([
        Message::system("You write one short paragraph about what you are told."),
        Message::user(topic),
    ]);
    Ok(llm.reply(&chat).await?.text)
}

/// All calls are made before the first one is awaited, so all of them run at the same time.
#[entrypoint]
async fn write_text(topics: Vec<String>) -> Result<String> {
    let paragraphs = try_join_all(topics.into_iter().map(write_paragraph)).await?;
    Ok(paragraphs.join("\n\n"))
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    Reply::text(format!("There is much to be said about {}. It is said elsewhere.", chat.last()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new()
        .provide(Llm::from_env(script)?)
        .entrypoint(write_text::def())
        .task(write_paragraph::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let topics = ["owls", "ducks", "geese"].map(String::from).to_vec();
    if let Outcome::Done(text) = thread.invoke(write_text::def(), topics).await? {
        println!("{text}");
    }
    engine.shutdown().await?;
    Ok(())
}
