//! Runs that have made steps are taken back, on every storage and by another owner than the one
//! that made them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rethread::prelude::*;
use rethread::{
    App, Embedded, EmbeddedOptions, EntrypointRef, Graph, HistoryQuery, StateSnapshot, Storage,
    Thread,
    client::Multitask,
    disk::{DiskOptions, DiskStorage},
    graph::Values,
    memory::MemoryStorage,
};
use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use serde_json::{Value, json};

use crate::support::{logging, logs};

/// How often the last node began, and whether it may end.
#[derive(Debug, Default)]
struct Gate {
    begun: AtomicUsize,
    is_open: AtomicUsize,
}

impl Gate {
    async fn pass(&self) {
        self.begun.fetch_add(1, Ordering::SeqCst);
        while self.is_open.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn begins(&self, times: usize) {
        while self.begun.load(Ordering::SeqCst) < times {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Asks in its second step, and comes to the gate in its fourth.
fn graph(gate: &Arc<Gate>) -> Graph<Values, Values> {
    let gate = Arc::clone(gate);
    logging("g")
        .add_node("a", logs("a"))
        .add_node("ask", |_: Value| async {
            let answer: String = interrupt("go on?").await?;
            Ok::<_, Error>(json!({ "log": [answer] }))
        })
        .add_node("b", logs("b"))
        .add_node("hold", move |_: Value| {
            let gate = Arc::clone(&gate);
            async move {
                gate.pass().await;
                Ok::<_, Error>(json!({ "log": ["hold"] }))
            }
        })
        .add_sequence([START, "a", "ask", "b", "hold", END])
        .compile()
        .expect("well formed")
}

async fn open(gate: &Arc<Gate>, storage: &Arc<dyn Storage>) -> (Embedded, Thread) {
    let app = App::new().graph(&graph(gate));
    let engine = Embedded::on_storage(app, Arc::clone(storage), EmbeddedOptions::default());
    let engine = engine.await.expect("the engine starts");
    let thread = engine.client().thread("t").expect("a name");
    (engine, thread)
}

/// What is known of a thread: its state, and its history.
async fn known(thread: &Thread) -> (StateSnapshot, Vec<StateSnapshot>) {
    let state = thread.state().await.expect("reads").expect("there is one");
    (state, thread.history(HistoryQuery::new()).await.expect("reads"))
}

/// How many checkpoints stand before the last node.
async fn held(thread: &Thread) -> usize {
    let history = thread.history(HistoryQuery::new()).await.expect("reads");
    history.iter().filter(|state| state.next == ["hold"]).count()
}

fn g() -> EntrypointRef<Value, Value> {
    EntrypointRef::named("g")
}

async fn is_taken_back(storage: Arc<dyn Storage>) {
    let gate = Arc::new(Gate::default());
    let (engine, thread) = open(&gate, &storage).await;
    let outcome = thread.invoke(g(), json!({ "log": ["in"] })).await.expect("runs");
    assert_eq!(outcome.interrupts().len(), 1);
    let before = known(&thread).await;

    let run = thread.resume("no").start().await.expect("is accepted").run_id();
    gate.begins(1).await;
    drop((engine, thread));
    let (engine, thread) = open(&gate, &storage).await;
    gate.begins(2).await;
    let state = thread.state().await.expect("reads").expect("there is one");
    assert_eq!(state.values.to_json().expect("JSON"), json!({ "log": ["in", "a", "no", "b"] }));
    thread.run(run).roll_back().await.expect("is taken back");
    assert_eq!(known(&thread).await, before);

    gate.is_open.store(1, Ordering::SeqCst);
    let outcome = thread.resume("yes").typed::<Value>().await.expect("runs");
    let log = ["in", "a", "yes", "b", "hold"];
    assert_eq!(outcome.done(), Some(json!({ "log": log })));

    // An input that takes a run back begins where the thread was before that.
    gate.is_open.store(0, Ordering::SeqCst);
    thread.update_state(json!({})).as_node("ask").await.expect("is edited");
    let begun = gate.begun.load(Ordering::SeqCst);
    let before = held(&thread).await;
    let _run = thread.retry().start().await.expect("is accepted");
    gate.begins(begun + 1).await;
    let last = thread.invoke(g(), json!({})).multitask(Multitask::Rollback).start();
    let last = last.await.expect("is accepted");
    let _ = last.wait().await.expect("asks");
    assert_eq!(held(&thread).await, before, "the retry has left no checkpoint");
    drop(engine);
}

#[tokio::test]
async fn in_memory() {
    is_taken_back(Arc::new(MemoryStorage::new(1))).await;
}

#[tokio::test]
async fn on_disk() {
    let directory = tempfile::tempdir().expect("a directory");
    let storage = DiskStorage::open(directory.path(), DiskOptions::default()).expect("opens");
    is_taken_back(Arc::new(storage)).await;
}

#[tokio::test]
async fn in_redis() {
    let server = RedisServer::start();
    let storage = RedisStorage::connect(RedisOptions::new(server.url())).await.expect("connects");
    is_taken_back(Arc::new(storage)).await;
}
