//! A chatbot that remembers what was said on its thread.
//!
//! ```sh
//! cargo run --example chatbot
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome, Thread};
use rethread_examples::model::{Chat, Llm, Message, Reply};

#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn ask_model(messages: Vec<Message>, llm: Dep<Llm>) -> Result<Reply> {
    llm.reply(&Chat::new(messages)).await
}

/// Gives the caller the reply, and the next run on the thread the whole conversation.
#[entrypoint]
async fn chat(
    said: String,
    previous: Previous<Vec<Message>>,
) -> Result<Final<String, Vec<Message>>> {
    let mut messages = previous.into_inner().unwrap_or_default();
    messages.push(Message::user(said));
    let reply = ask_model(messages.clone()).await?;
    messages.push(reply.clone().into());
    Ok(Final::new(reply.text, messages))
}

async fn say(thread: &Thread, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    println!("person: {text}");
    if let Outcome::Done(reply) = thread.invoke(chat::def(), text.to_owned()).await? {
        println!("model: {reply}");
    }
    Ok(())
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let name = chat.messages.iter().find_map(|message| message.text().strip_prefix("I am "));
    Reply::text(match (name, chat.last()) {
        (Some(name), "What is my name?") => format!("You are {name}."),
        (None, "What is my name?") => "You have not told me.".to_owned(),
        _ => "Nice to meet you.".to_owned(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app =
        App::new().provide(Llm::from_env(script)?).entrypoint(chat::def()).task(ask_model::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    say(&thread, "I am Ada").await?;
    say(&thread, "What is my name?").await?;
    println!("-- another thread");
    say(&engine.client().new_thread(), "What is my name?").await?;
    engine.shutdown().await?;
    Ok(())
}
