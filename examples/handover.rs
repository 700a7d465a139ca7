//! Agents that hand over to each other: a tool call is how they do it.
//!
//! ```sh
//! cargo run --example handover
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Outcome};
use rethread_examples::model::{Chat, Llm, Message, Reply, Tool};
use serde::{Deserialize, Serialize};

/// Who may speak.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
enum Agent {
    Travel,
    Hotels,
}

impl Agent {
    fn part(self) -> &'static str {
        match self {
            Self::Travel => "You advise where to travel. Hand over to `hotels` for hotels.",
            Self::Hotels => "You advise on hotels. Hand over to `travel` for destinations.",
        }
    }

    /// Whom a call of the tool `hand_over` names.
    fn named(name: &str) -> Option<Self> {
        match name {
            "travel" => Some(Self::Travel),
            "hotels" => Some(Self::Hotels),
            _ => None,
        }
    }
}

/// What one agent says to a conversation.
#[task(retry = Retry::attempts(3), timeout = "2m")]
async fn speak(agent: Agent, conversation: Vec<Message>, llm: Dep<Llm>) -> Result<Reply> {
    let mut messages = vec![Message::system(agent.part())];
    messages.extend(conversation);
    let hand_over = Tool::of_texts("hand_over", "lets another agent go on", &["to"]);
    llm.reply(&Chat::new(messages).tools([hand_over])).await
}

/// Lets agents speak until one of them has an answer.
#[entrypoint]
async fn advise(question: String) -> Result<String> {
    let mut agent = Agent::Travel;
    let mut conversation = vec![Message::user(question)];
    loop {
        let reply = speak(agent, conversation.clone()).await?;
        conversation.push(reply.clone().into());
        if reply.tool_calls.is_empty() {
            return Ok(format!("{agent:?}: {}", reply.text));
        }
        for call in &reply.tool_calls {
            let to = call.arguments["to"].as_str().unwrap_or_default();
            let result = match Agent::named(to) {
                Some(other) => {
                    println!("{agent:?} hands over to {other:?}");
                    agent = other;
                    "it is your turn".to_owned()
                }
                None => format!("there is no agent `{to}`"),
            };
            conversation.push(Message::tool(call, result));
        }
    }
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    let is_travel = chat.messages[0].text().starts_with("You advise where");
    match (is_travel, chat.last()) {
        (true, _) => Reply::call("1", "hand_over", json!({ "to": "hotels" })),
        (false, "it is your turn") => Reply::text("In Rome, take the inn at the river."),
        (false, _) => Reply::call("2", "hand_over", json!({ "to": "travel" })),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app =
        App::new().provide(Llm::from_env(script)?).entrypoint(advise::def()).task(speak::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let question = "I go to Rome: where do I sleep?".to_owned();
    if let Outcome::Done(advice) = thread.invoke(advise::def(), question).await? {
        println!("{advice}");
    }
    engine.shutdown().await?;
    Ok(())
}
