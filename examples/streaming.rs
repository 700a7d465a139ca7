//! A run is watched as it goes: results, what bodies write, and the tokens of a model.
//!
//! ```sh
//! cargo run --example streaming
//! ```

use futures::StreamExt;
use rethread::prelude::*;
use rethread::{App, Embedded, Mode, StreamData};
use rethread_examples::model::{Chat, Llm, Message, Reply};

#[task]
async fn look_up(topic: String) -> Result<String> {
    emit(json!({ "looking_up": topic }))?;
    Ok(format!("{topic} have feathers"))
}

/// What the model says is streamed token by token, before the whole of it is the result.
#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn explain(fact: String, llm: Dep<Llm>) -> Result<String> {
    let chat = Chat::new([Message::user(format!("Explain in a sentence why {fact}."))]);
    Ok(llm.reply(&chat).await?.text)
}

#[entrypoint]
async fn tell(topic: String) -> Result<String> {
    let fact = look_up(topic).await?;
    emit("now the model")?;
    explain(fact).await
}

/// What the model says where no other one is named.
fn script(_chat: &Chat) -> Reply {
    Reply::text("Feathers keep warm.")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new()
        .provide(Llm::from_env(script)?)
        .entrypoint(tell::def())
        .task(look_up::def())
        .task(explain::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let modes = [Mode::Updates, Mode::Custom, Mode::Messages];
    let mut events = thread.invoke(tell::def(), "owls".into()).stream(modes).await?;
    while let Some(event) = events.next().await {
        match event?.data {
            StreamData::Update { name, value, .. } => {
                println!("update of {name}: {}", value.to_json()?);
            }
            StreamData::Custom { value, .. } => println!("custom: {}", value.to_json()?),
            StreamData::Message { value, .. } => println!("token: {}", value.to_json()?),
            _ => {}
        }
    }
    engine.shutdown().await?;
    Ok(())
}
