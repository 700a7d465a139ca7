//! An agent as a graph: a model and its tools take turns, and a person looks at each call.
//!
//! ```sh
//! cargo run --example graph_agent
//! ```

use rethread::graph::ToolCall;
use rethread::prelude::*;
use rethread::{App, Embedded, Message, MessagesState, MessagesStateUpdate, Route};
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

/// Stands for a model: it calls the tool for a question, and reads its result out.
async fn model(state: MessagesState) -> Result<MessagesStateUpdate> {
    let reply = match state.messages.last() {
        Some(last) if last.kind == "human" => {
            let call = ToolCall::new("multiply", json!({ "a": 6, "b": 7 }), "call-1");
            Message::ai("").with_tool_calls([call])
        }
        last => Message::ai(format!("It is {}.", last.map(Message::text).unwrap_or_default())),
    };
    Ok(MessagesStateUpdate::new().messages(reply))
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

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = StateGraph::<MessagesState>::new("agent")
        .add_node("model", model)
        .add_node("tools", tools)
        .add_edge(START, "model")
        .add_conditional_edges("model", after_model)
        .add_edge("tools", "model")
        .compile()?;
    let app = App::new().graph(&graph).task(multiply::def());
    let engine = Embedded::open(app, ".rethread").await?;
    let thread = engine.client().new_thread();
    let question = MessagesStateUpdate::new().messages("What is 6 times 7?");
    person([json!(true)]).converse(&thread, &graph, question).await?;
    engine.shutdown().await?;
    Ok(())
}
