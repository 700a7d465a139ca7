use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rethread::graph::{Node, NodeError};
use rethread::prelude::*;
use rethread::{App, Message, MessagesState, MessagesStateUpdate, add_messages};
use serde_json::{Value, json};

use crate::support::{engine, engine_with, fields, logging, logs, run};

#[task]
async fn double(n: i64) -> Result<i64> {
    Ok(n * 2)
}

#[tokio::test]
async fn nodes_call_tasks_and_ask_people() {
    let starts = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&starts);
    let ask = move |_: Value| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let doubled = double(21).await?;
            let answer: String = interrupt(json!({ "doubled": doubled })).await?;
            Ok::<_, Error>(json!({ "log": [doubled, answer] }))
        }
    };
    let graph = logging("g")
        .add_node("ask", ask)
        .add_node("beside", logs("beside"))
        .add_edge(START, "ask")
        .add_edge(START, "beside")
        .compile()
        .expect("well formed");
    let engine = engine_with(App::new().graph(&graph).task(double::def())).await;
    let thread = engine.client().thread("t").expect("a name");
    let outcome = thread.invoke(&graph, fields(json!({}))).await.expect("pauses");
    assert_eq!(outcome.interrupts().len(), 1);
    let state = thread.state().await.expect("reads").expect("there is one");
    assert_eq!(state.next, ["ask"]);
    let outcome = thread.resume("yes").json().await.expect("runs");
    let expected = json!({ "log": [42, "yes", "beside"] });
    assert_eq!(outcome.done(), Some(expected));
    assert_eq!(starts.load(Ordering::SeqCst), 2, "the node ran again, from its top");
    engine.shutdown().await.expect("stops");
}

async fn fails(_: Value) -> Result<()> {
    Err(Error::new("Broken", "it broke"))
}

async fn handles(_: Value, error: NodeError) -> Result<Command> {
    let text = format!("{}: {}", error.node, error.error.kind());
    Ok(Command::goto("c").update(fields(json!({ "log": [text] }))))
}

#[tokio::test]
async fn an_error_handler_takes_the_place_of_the_node() {
    let graph = logging("g")
        .add_node("a", Node::new(fails).on_error(handles).ends(["c"]))
        .add_node("b", logs("b"))
        .add_node("c", logs("c"))
        .add_edge(START, "a")
        .add_edge("a", "b")
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    let result = run(engine.client(), "g", "t", json!({})).await;
    assert_eq!(result, json!({ "log": ["a: Broken", "c"] }));
    engine.shutdown().await.expect("stops");
}

async fn bot(state: MessagesState) -> Result<MessagesStateUpdate> {
    let said = state.messages.last().map(Message::text).unwrap_or_default();
    Ok(MessagesStateUpdate::new().messages(Message::ai(format!("you said {said}"))))
}

#[tokio::test]
async fn a_conversation_keeps_its_messages() {
    let graph = StateGraph::<MessagesState>::new("chat")
        .add_node("bot", bot)
        .add_edge(START, "bot")
        .compile()
        .expect("well formed");
    let engine = engine(&graph).await;
    let thread = engine.client().thread("t").expect("a name");
    let hello = MessagesStateUpdate::new().messages("hello");
    assert!(thread.invoke(&graph, hello).await.expect("runs").done().is_some());
    let again = MessagesStateUpdate::new().messages("again");
    let state = thread.invoke(&graph, again).await.expect("runs").done().expect("no questions");
    let texts: Vec<_> = state.messages.iter().map(Message::text).collect();
    assert_eq!(texts, ["hello", "you said hello", "again", "you said again"]);
    assert!(state.messages.iter().all(|message| message.id.is_some()));
    engine.shutdown().await.expect("stops");
}

#[entrypoint]
async fn keeps(said: String, previous: Previous<Vec<Message>>) -> Result<Vec<Message>> {
    add_messages(previous.into_inner().unwrap_or_default(), [Message::human(said)])
}

#[tokio::test]
async fn entrypoints_put_messages_together_too() {
    let engine = engine_with(App::new().entrypoint(keeps::def())).await;
    let thread = engine.client().thread("t").expect("a name");
    assert!(thread.invoke(keeps::def(), "one".into()).await.expect("runs").done().is_some());
    let messages = thread.invoke(keeps::def(), "two".into()).await.expect("runs");
    let ids: Vec<_> = messages.done().expect("done").into_iter().map(|it| it.id).collect();
    assert!(ids.len() == 2 && ids[0].is_some() && ids[0] != ids[1], "{ids:?}");
    engine.shutdown().await.expect("stops");
}
