//! A person looks at each tool call of an agent: accepts it, changes it, or says what is wrong.
//!
//! ```sh
//! cargo run --example review_tool_calls
//! ```
//!
//! In a terminal you are the person. Answer `{"action": "accept"}`,
//! `{"action": "update", "arguments": {..}}` or `{"action": "feedback", "text": ".."}`.

use rethread::prelude::*;
use rethread::{App, Embedded};
use rethread_examples::model::{Chat, Llm, Message, Reply, Tool, ToolCall};
use rethread_examples::person;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What a person says about a tool call.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "lowercase")]
enum Review {
    /// Call it as it is.
    Accept,
    /// Call it with these arguments instead.
    Update { arguments: Json },
    /// Do not call it; tell the model this.
    Feedback { text: String },
}

#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn ask_model(messages: Vec<Message>, llm: Dep<Llm>) -> Result<Reply> {
    let book = Tool::of_texts("book", "books a room", &["hotel", "nights"]);
    llm.reply(&Chat::new(messages).tools([book])).await
}

/// Costs money, so it is called only after a review.
#[task]
async fn call_tool(call: ToolCall) -> Result<Message> {
    println!("{}({})", call.name, call.arguments);
    Ok(Message::tool(&call, format!("booked: {}", call.arguments)))
}

/// Asks the person about each call before it is made.
#[entrypoint]
async fn agent(request: String) -> Result<String> {
    let mut messages = vec![Message::user(request)];
    loop {
        let mut reply = ask_model(messages.clone()).await?;
        if reply.tool_calls.is_empty() {
            return Ok(reply.text);
        }
        let mut results = Vec::new();
        for call in &mut reply.tool_calls {
            let question = json!({ "tool": call.name, "arguments": call.arguments });
            match interrupt(question).await? {
                Review::Accept => results.push(call_tool(call.clone()).await?),
                Review::Update { arguments } => {
                    call.arguments = arguments; // the model sees what was really called
                    results.push(call_tool(call.clone()).await?);
                }
                Review::Feedback { text } => results.push(Message::tool(call, text)),
            }
        }
        messages.push(reply.into());
        messages.extend(results);
    }
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let book =
        |id: &str, hotel: &str| Reply::call(id, "book", json!({ "hotel": hotel, "nights": "2" }));
    let last = chat.last();
    if last.contains("cheaper") {
        book("2", "Hostel")
    } else if last.starts_with("booked") && last.contains("Hostel") {
        book("3", "Inn at the airport")
    } else if last.starts_with("booked") {
        Reply::text(format!("Both rooms are reserved. The last one is {last}."))
    } else {
        book("1", "Grand Hotel")
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new()
        .provide(Llm::from_env(script)?)
        .entrypoint(agent::def())
        .task(ask_model::def())
        .task(call_tool::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let mut person = person([
        json!({ "action": "feedback", "text": "too dear: look for something cheaper" }),
        json!({ "action": "update", "arguments": { "hotel": "Hostel", "nights": "3" } }),
        json!({ "action": "accept" }),
    ]);
    let request = "Book me a room in Rome, and one at the airport.".to_owned();
    person.converse(&thread, agent::def(), request).await?;
    engine.shutdown().await?;
    Ok(())
}
