//! An agent as a graph: a model and its tools take turns, and a person looks at each call.
//!
//! ```sh
//! cargo run --example graph_agent
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Message, MessagesState, MessagesStateUpdate, Route};
use rethread_examples::model::{Chat, Llm, Reply, Tool};
use rethread_examples::person;
use serde::{Deserialize, Serialize};

/// What a person is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Review {
    tool: String,
    a: i64,
    b: i64,
}

#[task]
async fn multiply(a: i64, b: i64) -> Result<i64> {
    Ok(a * b)
}

/// Asks the model, which answers or wants a tool to be called.
async fn model(state: MessagesState, llm: Dep<Llm>) -> Result<MessagesStateUpdate> {
    let number = json!({ "type": "integer" });
    let multiply = Tool {
        name: "multiply".to_owned(),
        description: "multiplies two numbers".to_owned(),
        parameters: json!({
            "type": "object", "properties": { "a": number, "b": number }, "required": ["a", "b"],
        }),
    };
    let reply = llm.reply(&Chat::of(&state.messages).tools([multiply])).await?;
    Ok(MessagesStateUpdate::new().messages(Message::from(reply)))
}

/// Runs the calls that a person allows. Nodes call tasks and ask people as entrypoints do.
async fn tools(state: MessagesState) -> Result<MessagesStateUpdate> {
    let calls = state.messages.last().map(|last| last.tool_calls.clone()).unwrap_or_default();
    let mut results = Vec::new();
    for call in calls {
        let (a, b) = (call.args["a"].as_i64().unwrap_or(0), call.args["b"].as_i64().unwrap_or(0));
        let is_allowed: bool = interrupt(Review { tool: call.name, a, b }).await?;
        let result = match is_allowed {
            true => multiply(a, b).await?.to_string(),
            false => "nothing that you may know".to_owned(),
        };
        results.push(Message::tool(call.id.unwrap_or_default(), result));
    }
    Ok(MessagesStateUpdate::new().messages(results))
}

/// Where the model leads.
#[derive(Debug, Clone, Copy, Route)]
enum Next {
    Tools,
    #[route(end)]
    Done,
}

fn after_model(state: MessagesState) -> Next {
    match state.messages.last() {
        Some(last) if !last.tool_calls.is_empty() => Next::Tools,
        _ => Next::Done,
    }
}

/// What the model says where no other one is named.
fn script(chat: &Chat) -> Reply {
    match chat.last() {
        "What is 6 times 7?" => Reply::call("call-1", "multiply", json!({ "a": 6, "b": 7 })),
        result => Reply::text(format!("It is {result}.")),
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = StateGraph::<MessagesState>::new("agent")
        .add_node("model", model)
        .add_node("tools", tools)
        .add_edge(START, "model")
        .add_conditional_edges("model", after_model)
        .add_edge("tools", "model")
        .compile()?;
    let app = App::new().provide(Llm::from_env(script)?).graph(&graph).task(multiply::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let question = MessagesStateUpdate::new().messages("What is 6 times 7?");
    person([json!(true)]).converse(&thread, &graph, question).await?;
    engine.shutdown().await?;
    Ok(())
}
