//! The programs that the tests run, those within the crate too.

use std::time::Duration;

use rethread::Registry;
use rethread::prelude::*;
use rethread_graph::{Field, Graph, Node, START, StateGraph, Values};
use serde_json::Value as Json;

#[task]
async fn write_essay(topic: String) -> Result<String> {
    Ok(format!("An essay about topic: {topic}"))
}

#[entrypoint]
async fn essay(topic: String) -> Result<Json> {
    let essay = write_essay(topic).await?;
    let is_approved: Json = interrupt(json!({ "essay": essay })).await?;
    Ok(json!({ "essay": essay, "is_approved": is_approved }))
}

#[task]
async fn add_one(number: i64) -> Result<i64> {
    Ok(number + 1)
}

#[task]
async fn add_two(number: i64) -> Result<i64> {
    Ok(number + 2)
}

#[entrypoint]
async fn add_numbers(numbers: Vec<i64>) -> Result<Vec<i64>> {
    emit("hello")?;
    let mut sums = Vec::new();
    for number in numbers {
        emit(json!({ "processing": number }))?;
        sums.push(add_two(add_one(number).await?).await?);
    }
    emit("world")?;
    Ok(sums)
}

/// Gives what was saved, and saves more.
#[entrypoint]
async fn accumulate(number: i64, before: Previous<i64>) -> Result<Final<i64, i64>> {
    let before = before.unwrap_or(0);
    Ok(Final::new(before, before + number))
}

#[task]
async fn explode(message: String) -> Result<()> {
    Err(Error::new("Boom", message).retryable(false))
}

#[entrypoint]
async fn boom(message: String) -> Result<()> {
    explode(message).await
}

#[task]
async fn tick(number: u32) -> Result<u32> {
    tokio::time::sleep(Duration::from_millis(20)).await;
    Ok(number)
}

/// Takes its time.
#[entrypoint]
async fn slow(ticks: u32, before: Previous<Json>) -> Result<Json> {
    for number in 0..ticks {
        let number = tick(number).await?;
        emit(json!({ "tick": number }))?;
    }
    Ok(json!({ "done": ticks, "previous": before.into_inner() }))
}

#[task]
async fn ask(question: String) -> Result<String> {
    let answer: String = interrupt(json!({ "question": question })).await?;
    Ok(format!("{question}={answer}"))
}

#[entrypoint]
async fn parallel_interrupts(questions: Vec<String>) -> Result<Vec<String>> {
    let asked: Vec<_> = questions.into_iter().map(ask).collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await?);
    }
    Ok(answers)
}

#[entrypoint]
async fn child(number: i64) -> Result<i64> {
    add_one(number).await
}

#[entrypoint]
async fn parent(number: i64) -> Result<Json> {
    Ok(json!({ "child": child(number).await? }))
}

#[task]
async fn say(text: String) -> Result<String> {
    for word in text.split_inclusive(' ') {
        emit_message(word, json!({ "id": "m1", "model": "script" }))?;
    }
    Ok(text)
}

#[entrypoint]
async fn chat(text: String) -> Result<String> {
    say(text).await
}

/// Breaks off in its first attempt.
#[task(retry = Retry::attempts(2).initial_interval(Duration::from_millis(1)).jitter(false))]
async fn stammer(text: String) -> Result<String> {
    let attempt = run_info()?.attempt;
    emit(json!({ "attempt": attempt }))?;
    for word in text.split_inclusive(' ') {
        emit_message(word, json!({ "id": "m2" }))?;
        if attempt == 1 {
            return Err(Error::new("Broken", "off"));
        }
    }
    Ok(text)
}

#[entrypoint]
async fn stutter(text: String) -> Result<String> {
    stammer(text).await
}

/// Does not end by itself.
#[entrypoint]
async fn endless(_input: Json) -> Result<()> {
    sleep(Duration::from_secs(3_600)).await
}

/// Gives values that JSON cannot say.
#[entrypoint]
async fn odd(_input: Json) -> Result<Odd> {
    emit(f64::NAN)?;
    Ok((f64::NAN, [((1, 2), "pair".to_owned())].into()))
}

/// A number that is none, and a map whose keys are pairs.
type Odd = (f64, std::collections::BTreeMap<(u8, u8), String>);

/// A graph with a graph as a node, which asks.
fn review() -> Graph<Values, Values> {
    let inner = StateGraph::with_fields("check", [Field::append("log")])
        .add_node(
            "ask",
            Node::new(|state: Json| async move {
                let answer: Json = interrupt(json!({ "seen": state["log"] })).await?;
                Ok::<Json, Error>(json!({ "log": [answer] }))
            }),
        )
        .add_edge(START, "ask")
        .compile()
        .expect("a graph");
    let says = |entry: &'static str| {
        Node::new(move |_: Json| async move { Ok::<Json, Error>(json!({ "log": [entry] })) })
    };
    StateGraph::with_fields("review", [Field::append("log")])
        .add_node("write", says("write"))
        .add_node("check", Node::graph(&inner))
        .add_node("done", says("done"))
        .add_edge(START, "write")
        .add_edge("write", "check")
        .add_edge("check", "done")
        .compile()
        .expect("a graph")
}

/// Their names.
pub(crate) const NAMES: [&str; 14] = [
    "essay",
    "add_numbers",
    "accumulate",
    "boom",
    "slow",
    "parallel_interrupts",
    "child",
    "parent",
    "chat",
    "stutter",
    "endless",
    "odd",
    "check",
    "review",
];

pub(crate) fn registry() -> Registry {
    Registry::builder()
        .entrypoint(essay::def())
        .entrypoint(add_numbers::def())
        .entrypoint(accumulate::def())
        .entrypoint(boom::def())
        .entrypoint(slow::def())
        .entrypoint(parallel_interrupts::def())
        .entrypoint(child::def())
        .entrypoint(parent::def())
        .entrypoint(chat::def())
        .entrypoint(stutter::def())
        .entrypoint(endless::def())
        .entrypoint(odd::def())
        .task(write_essay::def())
        .task(add_one::def())
        .task(add_two::def())
        .task(explode::def())
        .task(tick::def())
        .task(ask::def())
        .task(say::def())
        .task(stammer::def())
        .graph(&review())
        .build()
        .expect("a registry")
}
