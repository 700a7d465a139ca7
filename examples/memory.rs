//! A chatbot that knows a person on every thread: what it learns goes into the store.
//!
//! ```sh
//! cargo run --example memory
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome, Thread};
use rethread_examples::model::{Chat, Llm, Message, Reply};
use serde::{Deserialize, Serialize};

/// One thing that is known about a person.
#[derive(Debug, Serialize, Deserialize)]
struct Fact {
    text: String,
}

#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn ask_model(known: Vec<String>, said: String, llm: Dep<Llm>) -> Result<String> {
    let known = format!("What you know about the person: {}", known.join("; "));
    let chat = Chat::new([Message::system(known), Message::user(said)]);
    Ok(llm.reply(&chat).await?.text)
}

/// Learns what it is told to remember, and answers with what it knows.
#[entrypoint]
async fn chat(said: String, store: Store) -> Result<String> {
    let user: Option<String> = config()?.configurable("user")?;
    let user = user.ok_or_else(|| Error::msg("say who you are: set `user`"))?;
    let facts = ["people", &user, "facts"];
    if let Some(text) = said.strip_prefix("Remember: ") {
        store.put(facts, text, &Fact { text: text.to_owned() }).await?;
    }
    let known = store.search(facts).items::<Fact>().await?;
    let known = known.into_iter().map(|item| item.value.text).collect();
    ask_model(known, said).await
}

async fn say(thread: &Thread, who: &str, text: &str) -> Result<(), Box<dyn std::error::Error>> {
    println!("{who}: {text}");
    let request = thread.invoke(chat::def(), text.to_owned()).configurable("user", who);
    if let Outcome::Done(reply) = request.await? {
        println!("model: {reply}");
    }
    Ok(())
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let (_, known) = chat.messages[0].text().split_once(": ").unwrap_or_default();
    Reply::text(match chat.last() {
        "What do you know about me?" if known.is_empty() => "Nothing.".to_owned(),
        "What do you know about me?" => format!("You say: {known}."),
        _ => "I shall remember.".to_owned(),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app =
        App::new().provide(Llm::from_env(script)?).entrypoint(chat::def()).task(ask_model::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let client = engine.client();
    say(&client.new_thread(), "Ada", "Remember: I like owls").await?;
    say(&client.new_thread(), "Ada", "What do you know about me?").await?;
    say(&client.new_thread(), "Grace", "What do you know about me?").await?;
    engine.shutdown().await?;
    Ok(())
}
