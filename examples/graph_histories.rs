//! A graph that a node calls has a state of its own; its history says for how long it is kept.
//!
//! ```sh
//! cargo run --example graph_histories
//! ```

use rethread::prelude::*;
use rethread::{App, Embedded, Graph, GraphError, Outcome};
use serde::{Deserialize, Serialize};

/// The state of the graph that is called.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Survey {
    #[state(add)]
    prepared: u32,
    #[state(append)]
    answers: Vec<String>,
}

async fn prepare(_: Survey) -> Result<SurveyUpdate> {
    println!("  preparing");
    Ok(SurveyUpdate::new().prepared(1_u32))
}

async fn ask(_: Survey) -> Result<SurveyUpdate> {
    let answer: String = interrupt("How was it?").await?;
    Ok(SurveyUpdate::new().answers([answer]))
}

fn survey(history: History) -> Result<Graph<SurveyUpdate, Survey>, GraphError> {
    StateGraph::<Survey>::new(format!("survey with History::{history:?}"))
        .add_node("prepare", prepare)
        .add_node("ask", ask)
        .add_sequence([START, "prepare", "ask", END])
        .history(history)
        .compile()
}

/// The state of the graph that calls.
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Visit {
    summary: String,
}

fn visit(survey: Graph<SurveyUpdate, Survey>) -> Result<Graph<VisitUpdate, Visit>, GraphError> {
    let name = format!("visit, {}", survey.name());
    // Turns its state into the input of the other graph, and the result of that into an update.
    let talk = move |_: Visit| {
        let called = survey.call(SurveyUpdate::new());
        async move {
            let Survey { prepared, answers } = called.await?;
            let summary = format!("prepared: {prepared}, heard: {answers:?}");
            Ok::<_, Error>(VisitUpdate::new().summary(summary))
        }
    };
    StateGraph::<Visit>::new(name).add_node("talk", talk).add_edge(START, "talk").compile()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut visits = Vec::new();
    let mut app = App::new();
    for history in [History::Inherit, History::Thread, History::Off] {
        let survey = survey(history)?;
        let visit = visit(survey.clone())?;
        app = app.graph(&survey).graph(&visit);
        visits.push((history, visit));
    }
    let engine = Embedded::open(app, ".rethread").await?;
    for (history, visit) in &visits {
        let thread = engine.client().new_thread();
        for answer in ["good", "better"] {
            println!("History::{history:?}");
            let asked = thread.invoke(visit, VisitUpdate::new()).await?;
            println!("  {} question", asked.interrupts().len());
            if let Outcome::Done(visit) = thread.resume(answer).typed::<Visit>().await? {
                println!("  {}", visit.summary);
            }
        }
    }
    engine.shutdown().await?;
    Ok(())
}
