//! A chatbot as a graph: its state is the conversation, which its thread keeps, and what the model
//! says is shown token by token.
//!
//! ```sh
//! cargo run --example graph_chatbot
//! ```

use std::time::Duration;

use futures::StreamExt;
use rethread::graph::Node;
use rethread::prelude::*;
use rethread::{
    App, Embedded, Graph, Message, MessagesState, MessagesStateUpdate, Mode, StreamData, Thread,
};
use rethread_examples::model::{Chat, Llm, Reply};

/// Returns what it adds to the conversation, not the conversation.
async fn model(state: MessagesState, llm: Dep<Llm>) -> Result<MessagesStateUpdate> {
    let reply = llm.reply(&Chat::of(&state.messages)).await?;
    Ok(MessagesStateUpdate::new().messages(Message::from(reply)))
}

type Chatbot = Graph<MessagesStateUpdate, MessagesState>;

async fn say(
    thread: &Thread,
    chatbot: &Chatbot,
    text: &str,
) -> Result<(), Box<dyn std::error::Error>> {
    println!("person: {text}");
    print!("model: ");
    let said = MessagesStateUpdate::new().messages(text);
    let mut events = thread.invoke(chatbot, said).stream([Mode::Messages]).await?;
    while let Some(event) = events.next().await {
        if let StreamData::Message { value, .. } = event?.data {
            print!("{}", value.decode::<String>()?);
        }
    }
    println!();
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
    let model = Node::new(model).retry(Retry::attempts(3)).timeout(Duration::from_secs(120));
    let chatbot = StateGraph::<MessagesState>::new("chatbot")
        .add_node("model", model)
        .add_edge(START, "model")
        .add_edge("model", END)
        .compile()?;
    let app = App::new().provide(Llm::from_env(script)?).graph(&chatbot);
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    say(&thread, &chatbot, "I am Ada").await?;
    say(&thread, &chatbot, "What is my name?").await?;
    if let Some(state) = thread.state().await? {
        let kept: MessagesState = state.values.decode()?;
        println!("-- the thread keeps {} messages; another one has its own", kept.messages.len());
    }
    say(&engine.client().new_thread(), &chatbot, "What is my name?").await?;
    engine.shutdown().await?;
    Ok(())
}
