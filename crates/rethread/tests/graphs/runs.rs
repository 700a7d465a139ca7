use rethread::graph::{Branch, Node, Send};
use rethread::prelude::*;
use rethread::{ClientError, Embedded, Outcome, Overwrite, Route, Sent, kind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::{engine, logging, logs, run, run_to};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, State)]
#[serde(default)]
struct Essay {
    topic: String,
    #[state(append)]
    drafts: Vec<String>,
    #[state(add)]
    words: u64,
    #[state(reduce = longest)]
    title: String,
    review: Option<String>,
}

fn longest(old: String, new: String) -> String {
    if new.len() > old.len() { new } else { old }
}

async fn write(essay: Essay) -> Result<EssayUpdate> {
    let draft = format!("draft {} about {}", essay.drafts.len() + 1, essay.topic);
    Ok(EssayUpdate::new().drafts([draft]).words(4_u64).title("Cats"))
}

async fn review(essay: Essay) -> Result<EssayUpdate> {
    let review = (essay.drafts.len() > 1).then(|| "good".to_owned());
    Ok(EssayUpdate::new().review(review))
}

#[derive(Debug, Clone, Copy, Route)]
enum Next {
    Write,
    #[route(end)]
    Done,
}

fn after_review(essay: Essay) -> Next {
    if essay.review.is_some() { Next::Done } else { Next::Write }
}

#[tokio::test]
async fn a_typed_graph_loops_until_its_path_ends_it() {
    let graph = StateGraph::<Essay>::new("essay")
        .add_node("write", Node::new(write).retry(Retry::attempts(2)))
        .add_node("review", review)
        .add_edge(START, "write")
        .add_edge("write", "review")
        .add_conditional_edges("review", after_review)
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    let thread = engine.client().thread("t").expect("a name");
    let outcome = thread.invoke(&graph, EssayUpdate::new().topic("cats")).await.expect("runs");
    let expected = Essay {
        topic: "cats".into(),
        drafts: vec!["draft 1 about cats".into(), "draft 2 about cats".into()],
        words: 8,
        title: "Cats".into(),
        review: Some("good".into()),
    };
    assert_eq!(outcome, Outcome::Done(expected));
    // A further input goes through the reducers, on the state that was kept.
    let fresh = EssayUpdate::new().drafts(Overwrite(vec!["mine".into()]));
    let outcome = thread.invoke(&graph, fresh).await.expect("runs").done().expect("no questions");
    assert_eq!(outcome.drafts, ["mine", "draft 2 about cats"]);
    engine.shutdown().await.expect("stops");
}

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Jokes {
    topics: Vec<String>,
    #[state(append)]
    jokes: Vec<String>,
}

async fn joke(Sent(topic): Sent<String>) -> Result<JokesUpdate> {
    Ok(JokesUpdate::new().jokes([format!("a joke about {topic}")]))
}

fn one_each(state: Jokes) -> Vec<Send> {
    state.topics.into_iter().map(|topic| Send::new("joke", topic)).collect()
}

#[tokio::test]
async fn sends_map_and_the_reducer_puts_together_in_their_order() {
    let graph = StateGraph::<Jokes>::new("jokes")
        .add_node("joke", joke)
        .add_conditional_edges(START, Branch::new(one_each).drawn_to(["joke"]))
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    let thread = engine.client().thread("t").expect("a name");
    let topics = ["cats", "dogs", "owls"].map(String::from).to_vec();
    let outcome = thread.invoke(&graph, JokesUpdate::new().topics(topics)).await.expect("runs");
    let jokes = outcome.done().expect("no questions").jokes;
    assert_eq!(jokes, ["a joke about cats", "a joke about dogs", "a joke about owls"]);
    engine.shutdown().await.expect("stops");
}

#[tokio::test]
async fn joins_deferred_nodes_and_commands() {
    let graph = logging("g")
        .add_node("a", |_: Value| async {
            Ok::<_, Error>(Command::goto("c").update(crate::support::fields(json!({"log": ["a"]}))))
        })
        .add_node("b", logs("b"))
        .add_node("b2", logs("b2"))
        .add_node("c", logs("c"))
        .add_node("late", Node::new(logs("late")).defer())
        .add_node("join", logs("join"))
        .add_edge(START, "a")
        .add_edge("a", "b")
        .add_edge("a", "late")
        .add_edge("b", "b2")
        .add_edge(["c", "b2"], "join")
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    let result = run(engine.client(), "g", "t", json!({ "log": ["in"] })).await;
    assert_eq!(result, json!({ "log": ["in", "a", "b", "c", "b2", "join", "late"] }));
    engine.shutdown().await.expect("stops");
}

async fn failure_of(engine: &Embedded, input: Value) -> String {
    match run_to::<Value>(engine.client(), "g", "t", input).await {
        Err(ClientError::RunFailed(failure)) => failure.kind,
        other => panic!("the run does not fail: {other:?}"),
    }
}

#[tokio::test]
async fn what_leads_nowhere_is_an_error_of_the_node() {
    let graph = logging("g")
        .add_node("a", logs("a"))
        .add_edge(START, "a")
        .add_conditional_edges("a", |_: Value| "nowhere")
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    assert_eq!(failure_of(&engine, json!({})).await, kind::INVALID_DESTINATION);
    let state = engine.client().thread("t").expect("a name").state().await.expect("reads");
    let state = state.expect("there is one");
    assert_eq!(state.values.to_json().expect("JSON"), json!({ "log": [] }));
    engine.shutdown().await.expect("stops");
}

#[tokio::test]
async fn two_writes_to_a_plain_field_fail_the_step() {
    let graph = StateGraph::with_fields("g", [rethread::graph::Field::last("x")])
        .add_node("a", |_: Value| async { Ok::<_, Error>(json!({ "x": 1 })) })
        .add_node("b", |_: Value| async { Ok::<_, Error>(json!({ "x": 1 })) })
        .add_edge(START, "a")
        .add_edge(START, "b")
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    assert_eq!(failure_of(&engine, json!({})).await, kind::INVALID_UPDATE);
    engine.shutdown().await.expect("stops");
}
