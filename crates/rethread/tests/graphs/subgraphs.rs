use rethread::graph::{Field, Values};
use rethread::prelude::*;
use rethread::{App, Graph};
use serde_json::{Value, json};

use crate::support::{engine, engine_with, fields, logging, logs, run};

fn inner() -> Graph<Values, Values> {
    logging("inner")
        .add_node("i", logs("i"))
        .add_node("j", logs("j"))
        .add_sequence([START, "i", "j", END])
        .compile()
        .expect("well formed")
}

#[tokio::test]
async fn a_graph_that_is_a_node_updates_the_state_of_its_parent() {
    let graph = logging("g")
        .add_node("sub", inner())
        .add_node("b", logs("b"))
        .add_sequence([START, "sub", "b", END])
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    let result = run(engine.client(), "g", "t", json!({ "log": ["in"] })).await;
    // What went in comes out, and is appended once more.
    assert_eq!(result, json!({ "log": ["in", "in", "i", "j", "b"] }));
    engine.shutdown().await.expect("stops");
}

#[tokio::test]
async fn a_graph_is_called_from_nodes_tasks_and_entrypoints() {
    let called = inner();
    let in_node = called.clone();
    let graph = logging("g")
        .add_node("ask", move |_: Value| {
            let inner = in_node.clone();
            async move {
                let result: Values = inner.call(fields(json!({ "log": ["own"] }))).await?;
                let log: Option<Vec<String>> = result.read("log")?;
                Ok::<_, Error>(json!({ "log": [log] }))
            }
        })
        .add_edge(START, "ask")
        .compile()
        .expect("well formed");
    let from_entrypoint = called.clone();
    let entrypoint = Entrypoint::new("workflow", move |n: Value| {
        let inner = from_entrypoint.clone();
        async move {
            let result: Values = inner.call(fields(json!({ "log": [n] }))).await?;
            Ok::<Values, Error>(result)
        }
    });
    let app = App::new().graph(&graph).graph(&called).entrypoint(entrypoint);
    let engine = engine_with(app).await;
    let result = run(engine.client(), "g", "t", json!({})).await;
    assert_eq!(result, json!({ "log": [["own", "i", "j"]] }));
    let result = run(engine.client(), "workflow", "u", json!(7)).await;
    assert_eq!(result, json!({ "log": [7, "i", "j"] }));
    engine.shutdown().await.expect("stops");
}

async fn leaves(_: Value) -> Result<Command> {
    Ok(Command::goto("c").update(fields(json!({ "log": ["from i"], "x": 9 }))).to_parent())
}

fn leaving() -> Graph<Values, Values> {
    StateGraph::with_fields("leaving", [Field::last("x")])
        .add_node("i", leaves)
        .add_node("j", |_: Value| async { Ok::<_, Error>(json!({ "x": 0 })) })
        .add_sequence([START, "i", "j", END])
        .compile()
        .expect("well formed")
}

fn around(name: &str) -> StateGraph<Values> {
    StateGraph::with_fields(name, [Field::last("x"), Field::append("log")])
        .add_node("b", logs("b"))
        .add_node("c", logs("c"))
        .add_edge(START, "sub")
        .add_edge("sub", "b")
}

#[tokio::test]
async fn a_command_to_the_parent_counts_as_one_of_the_node() {
    let as_node = around("as_node").add_node("sub", leaving()).compile().expect("well formed");
    let called = around("called")
        .add_node("sub", |_: Value| async {
            let result: Values = leaving().call(fields(json!({ "x": 1 }))).await?;
            Ok::<_, Error>(result)
        })
        .compile()
        .expect("well formed");
    let app = App::new().graph(&as_node).graph(&called);
    // The graph that is called is registered as part of the other one.
    let engine = engine_with(app).await;
    for graph in ["as_node", "called"] {
        let result = run(engine.client(), graph, graph, json!({ "x": 1 })).await;
        assert_eq!(result, json!({ "x": 9, "log": ["from i", "b", "c"] }), "{graph}");
    }
    engine.shutdown().await.expect("stops");
}
