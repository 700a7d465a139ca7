use futures::StreamExt;
use rethread::client::Mode;
use rethread::graph::Node;
use rethread::prelude::*;
use rethread::{App, ClientError, EntrypointRef, Graph, StreamData, Values, kind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{engine, engine_with, fields, logging, logs, run_to};

fn graph(option: fn(Node) -> Node) -> Graph<Values, Values> {
    let fails = |_: Value| async { Err::<(), _>(Error::new("Broken", "it broke")) };
    let handles = |_: Value, _| async { Ok::<_, Error>(json!({ "log": ["handled"] })) };
    let goes = |_: Value| async {
        Ok::<_, Error>(Command::goto("c").update(fields(json!({ "log": ["goes"] }))))
    };
    logging("g")
        .add_node("a", option(Node::new(logs("a"))))
        .add_node("b", option(Node::new(fails).on_error(handles)))
        .add_node("goes", option(Node::new(goes)))
        .add_node("c", option(Node::new(logs("c"))))
        .add_sequence([START, "a", "goes"])
        .add_edge("c", "b")
        .compile()
        .expect("well formed")
}

/// What a run of the graph streams, and its history.
async fn shown(graph: &Graph<Values, Values>) -> Vec<String> {
    let engine = engine(graph).await;
    let thread = engine.client().thread("t").expect("a name");
    let modes = [Mode::Values, Mode::Updates, Mode::Tasks, Mode::Checkpoints];
    let request = thread.invoke(graph, fields(json!({ "log": ["in"] })));
    let mut events = request.stream(modes).await.expect("begins");
    let mut shown = Vec::new();
    while let Some(event) = events.next().await {
        let event = event.expect("reads");
        let json = |value: &rethread::AnyValue| value.to_json().expect("JSON");
        shown.push(match &event.data {
            StreamData::Update { name, value, cached, .. } => {
                format!("update {name} {} {cached}", json(value))
            }
            StreamData::Value(value) => format!("value {}", json(value)),
            _ => format!("{:?} {}", event.mode, event.is_node),
        });
    }
    let state = thread.state().await.expect("reads").expect("there is one");
    shown.push(state.values.to_json().expect("JSON").to_string());
    engine.shutdown().await.expect("stops");
    shown
}

#[tokio::test]
async fn inline_nodes_show_what_other_nodes_show() {
    let inline = shown(&graph(Node::inline)).await;
    assert_eq!(inline, shown(&graph(|node| node)).await);
    let expected = json!({ "log": ["in", "a", "goes", "c", "handled"] });
    assert_eq!(inline.last(), Some(&expected.to_string()));
}

#[task]
async fn double(n: i64) -> Result<i64> {
    Ok(n * 2)
}

#[tokio::test]
async fn an_inline_node_that_calls_a_task_says_what_is_wrong() {
    let calls = |_: Value| async { Ok::<_, Error>(json!({ "log": [double(1).await?] })) };
    let graph = logging("g").add_node("a", Node::new(calls).inline()).add_edge(START, "a");
    let graph = graph.compile().expect("well formed");
    let engine = engine_with(App::new().graph(&graph).task(double::def())).await;
    match run_to::<Value>(engine.client(), "g", "t", json!({})).await {
        Err(ClientError::RunFailed(failure)) => {
            assert_eq!(failure.kind, kind::INVALID_GRAPH);
            let told = &failure.message;
            assert!(told.contains("node `a` runs inline and calls `double`"), "{told}");
        }
        other => panic!("the run does not fail: {other:?}"),
    }
    engine.shutdown().await.expect("stops");
}

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Count {
    #[state(add)]
    n: u64,
}

async fn ask(_: Count) -> Result<CountUpdate> {
    let n: u64 = interrupt("how many?").await?;
    Ok(CountUpdate::new().n(n))
}

#[tokio::test]
async fn an_input_of_another_type_is_refused_and_nothing_is_lost() {
    let graph = StateGraph::<Count>::new("count").add_node("ask", ask).add_edge(START, "ask");
    let graph = graph.compile().expect("well formed");
    let engine = engine(&graph).await;
    let thread = engine.client().thread("t").expect("a name");
    let outcome = thread.invoke(&graph, CountUpdate::new().n(1_u64)).await.expect("asks");
    assert_eq!(outcome.interrupts().len(), 1);
    let untyped = EntrypointRef::<Value, Value>::named("count");
    let refused = thread.invoke(untyped, json!({ "n": "many" })).await.expect_err("is no number");
    let told = refused.to_string();
    assert!(told.contains("field `n`") && told.contains("u64"), "{told}");
    let outcome = thread.resume(2).typed::<Count>().await.expect("the question is still open");
    assert_eq!(outcome.done().expect("no more questions").n, 3);
    engine.shutdown().await.expect("stops");
}

#[test]
fn the_prelude_leaves_the_names_of_std_alone() {
    fn sends<T: Send>() {}
    sends::<Command>();
}
