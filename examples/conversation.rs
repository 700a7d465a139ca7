//! Several agents and a person talk for as long as the person likes, in one run.
//!
//! ```sh
//! cargo run --example conversation
//! ```
//!
//! In a terminal you are the person. Answer with a text in quotes; `"bye"` ends it.

use rethread::prelude::*;
use rethread::{App, Embedded};
use rethread_examples::model::{Chat, Llm, Message, Reply, Tool};
use rethread_examples::person;
use serde::{Deserialize, Serialize};

const AGENTS: [(&str, &str); 2] = [
    ("travel", "You advise where to travel. Hand over to `hotels` for hotels."),
    ("hotels", "You advise on hotels. Hand over to `travel` for destinations."),
];

#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn speak(agent: usize, conversation: Vec<Message>, llm: Dep<Llm>) -> Result<Reply> {
    let mut messages = vec![Message::system(AGENTS[agent].1)];
    messages.extend(conversation);
    let hand_over = Tool::of_texts("hand_over", "lets another agent go on", &["to"]);
    llm.reply(&Chat::new(messages).tools([hand_over])).await
}

/// One agent after the other, until one of them says something to the person. It is an
/// entrypoint of its own: what it calls is recorded below its call.
#[entrypoint]
async fn turn(
    (mut agent, mut conversation): (usize, Vec<Message>),
) -> Result<(usize, Vec<Message>)> {
    loop {
        let reply = speak(agent, conversation.clone()).await?;
        conversation.push(reply.clone().into());
        if reply.tool_calls.is_empty() {
            return Ok((agent, conversation));
        }
        for call in &reply.tool_calls {
            let to = AGENTS.iter().position(|(name, _)| call.arguments["to"] == *name);
            agent = to.unwrap_or(agent);
            conversation.push(Message::tool(call, "it is your turn"));
        }
    }
}

/// What is left to say when the person has said bye.
#[derive(Debug, Serialize, Deserialize)]
struct Farewell {
    last_agent: String,
    turns: u32,
}

/// Days may pass between two answers of the person; the process need not live that long.
#[entrypoint]
async fn talk(opening: String) -> Result<Farewell> {
    let mut agent = 0;
    let mut conversation = vec![Message::user(opening)];
    let mut turns = 0;
    loop {
        (agent, conversation) = turn((agent, conversation)).await?;
        turns += 1;
        let said = conversation.last().map(Message::text).unwrap_or_default();
        let answer: String = interrupt(json!({ AGENTS[agent].0: said })).await?;
        if answer == "bye" {
            return Ok(Farewell { last_agent: AGENTS[agent].0.to_owned(), turns });
        }
        conversation.push(Message::user(answer));
    }
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let is_about_hotels = |text: &str| text.contains("hotel") || text.contains("sleep");
    let is_travel = chat.messages[0].text() == AGENTS[0].1;
    let person = |message: &&Message| matches!(message, Message::User(_));
    let asked = chat.messages.iter().rev().find(person).map(Message::text).unwrap_or_default();
    match (is_travel, is_about_hotels(asked)) {
        (true, true) => Reply::call("1", "hand_over", json!({ "to": "hotels" })),
        (false, false) => Reply::call("2", "hand_over", json!({ "to": "travel" })),
        (true, false) => Reply::text("Aruba is warm all the year."),
        (false, true) => Reply::text("The inn at the beach has rooms."),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = App::new()
        .provide(Llm::from_env(script)?)
        .entrypoint(talk::def())
        .entrypoint(turn::def())
        .task(speak::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let mut person = person([
        json!("And where do I sleep?"),
        json!("Thanks. What is there to do?"),
        json!("bye"),
    ]);
    let opening = "I want to go somewhere warm.".to_owned();
    person.converse(&thread, talk::def(), opening).await?;
    engine.shutdown().await?;
    Ok(())
}
