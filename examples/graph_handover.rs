//! Agents that are graphs and hand over to each other: a command leaves the one for the other.
//!
//! ```sh
//! cargo run --example graph_handover
//! ```

use rethread::graph::Messages;
use rethread::prelude::*;
use rethread::{App, Embedded, Graph, GraphError, Message, MessagesStateUpdate, Outcome};
use serde::{Deserialize, Serialize};

/// What all agents share.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Advice {
    #[state(messages)]
    messages: Messages,
    destination: Option<String>,
}

/// Knows destinations, and hands over for everything else.
async fn advise_on_travel(state: Advice) -> Result<Command> {
    let destination = state.messages.last().map(Message::text).unwrap_or_default();
    let update = AdviceUpdate::new()
        .messages(vec![Message::ai(format!("{destination} is lovely in spring."))])
        .destination(Some(destination));
    // For the graph around this agent: there is the other one.
    Ok(Command::goto("hotels").update(update).to_parent())
}

/// Knows hotels.
async fn advise_on_hotels(state: Advice) -> Result<MessagesStateUpdate> {
    let place = state.destination.unwrap_or_default();
    let advice = Message::ai(format!("In {place}, take the inn at the river."));
    Ok(MessagesStateUpdate::new().messages(advice))
}

fn agent<A>(
    name: &str,
    node: impl rethread::graph::IntoNode<A>,
) -> Result<Graph<AdviceUpdate, Advice>, GraphError> {
    StateGraph::<Advice>::new(name)
        .add_node("advise", node)
        .add_edge(START, "advise")
        .add_edge("advise", END)
        .compile()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let team = StateGraph::<Advice>::new("team")
        .add_node("travel", agent("travel_agent", advise_on_travel)?)
        .add_node("hotels", agent("hotel_agent", advise_on_hotels)?)
        .add_edge(START, "travel")
        .compile()?;
    let engine = Embedded::open(App::new().graph(&team), ".rethread").await?;
    let thread = engine.client().new_thread();
    let question = AdviceUpdate::new().messages(vec![Message::human("Rome")]);
    if let Outcome::Done(state) = thread.invoke(&team, question).await? {
        for message in &state.messages {
            println!("{}: {}", message.kind, message.text());
        }
    }
    engine.shutdown().await?;
    Ok(())
}
