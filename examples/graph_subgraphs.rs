//! A graph that is a node of another one: they share the fields that both have.
//!
//! ```sh
//! cargo run --example graph_subgraphs
//! ```

use futures::StreamExt;
use rethread::prelude::*;
use rethread::{App, Embedded, Graph, GraphError, Mode, StreamData};
use serde::{Deserialize, Serialize};

/// The state of the graph outside.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Report {
    topic: String,
    #[state(append)]
    facts: Vec<String>,
    text: String,
}

/// The state of the graph inside: two fields are those of the report, one is its own.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Research {
    topic: String,
    #[state(append)]
    facts: Vec<String>,
    sources: Vec<String>,
}

/// What the graph inside takes.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Question {
    topic: String,
}

/// What it gives. Were the facts part of what it takes as well, then those that are there already
/// would come back and be appended once more.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Findings {
    #[state(append)]
    facts: Vec<String>,
}

async fn search(research: Research) -> Result<ResearchUpdate> {
    let source = format!("a book about {}", research.topic);
    Ok(ResearchUpdate::new().sources(vec![source]))
}

async fn read(research: Research) -> Result<ResearchUpdate> {
    let facts = research.sources.iter().map(|source| format!("{source} says so"));
    Ok(ResearchUpdate::new().facts(facts.collect::<Vec<_>>()))
}

fn research() -> Result<Graph<Question, Findings>, GraphError> {
    StateGraph::<Research>::new("research")
        .input::<Question>()
        .output::<Findings>()
        .add_node("search", search)
        .add_node("read", read)
        .add_sequence([START, "search", "read", END])
        .compile()
}

async fn write(report: Report) -> Result<ReportUpdate> {
    Ok(ReportUpdate::new().text(format!("{}: {}", report.topic, report.facts.join("; "))))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let graph = StateGraph::<Report>::new("report")
        .add_node("research", research()?)
        .add_node("write", write)
        .add_sequence([START, "research", "write", END])
        .compile()?;
    let engine = Embedded::open(App::new().graph(&graph), ".rethread").await?;
    let thread = engine.client().new_thread();
    for topic in ["owls", "ducks"] {
        let request = thread.invoke(&graph, ReportUpdate::new().topic(topic));
        let mut events = request.stream([Mode::Updates]).await?.subgraphs(true);
        while let Some(event) = events.next().await {
            let event = event?;
            if let StreamData::Update { name, .. } = event.data {
                // Where it happened: the nodes that lead there, with the ids of their tasks.
                let within = event.ns.iter().filter_map(|place| place.split(':').next());
                let place: Vec<_> = within.chain([name.as_str()]).collect();
                println!("{}", place.join(" / "));
            }
        }
        if let Some(state) = thread.state().await? {
            println!("-- {}", state.values.decode::<Report>()?.text);
        }
    }
    engine.shutdown().await?;
    Ok(())
}
