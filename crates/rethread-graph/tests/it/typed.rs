//! Graphs whose fields have types.

use rethread_core::graph::{GraphChange, GraphCommand};
use rethread_core::message::UpdateAs;
use rethread_graph::{
    Branch, Command, END, GraphError, Message, MessagesState, MessagesStateUpdate, Node, START,
    Send, State, StateGraph, Values,
};
use rethread_sdk::Error;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::driver::{Thread, pack};

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Essay {
    topic: String,
    title: Option<String>,
    #[state(append)]
    drafts: Vec<String>,
    #[state(add)]
    words: u64,
    #[state(messages)]
    messages: rethread_graph::Messages,
}

async fn nothing(_: Essay) -> Result<(), Error> {
    Ok(())
}

fn essay() -> StateGraph<Essay> {
    StateGraph::<Essay>::new("essay").add_node("a", nothing).add_edge(START, "a")
}

#[test]
fn inputs_are_refused_that_are_not_of_the_types_of_the_fields() {
    let thread = Thread::new(&essay().compile().expect("well formed"));
    for (input, field) in [
        (json!({ "topic": 7 }), "topic"),
        (json!({ "topic": null }), "topic"),
        (json!({ "title": 7 }), "title"),
        (json!({ "drafts": ["a", 7] }), "drafts"),
        (json!({ "drafts": { "__overwrite__": 7 } }), "drafts"),
        (json!({ "words": -1 }), "words"),
        (json!({ "messages": [{ "role": "robot", "content": "hi" }] }), "messages"),
        (json!({ "messages": [{ "role": "user", "content": "hi", "name": 7 }] }), "messages"),
    ] {
        let refusal = thread.refuses(&input).unwrap_or_else(|| panic!("{input} was taken"));
        assert!(refusal.contains(&format!("field `{field}`")), "{refusal}");
    }
    for input in [
        json!({ "topic": "cats", "title": null, "unknown": 7 }),
        json!({ "drafts": { "__overwrite__": ["a"] }, "words": 1 }),
        json!({ "messages": "hi" }),
        json!({ "messages": { "role": "user", "content": "hi" } }),
        json!({ "messages": [["user", "hi"], { "type": "remove", "id": "1" }] }),
        Value::Null,
    ] {
        assert_eq!(thread.refuses(&input), None);
    }
}

#[test]
fn edits_are_refused_that_are_not_of_the_types_of_the_fields() {
    let mut thread = Thread::new(&essay().compile().expect("well formed"));
    let wrong = pack(&json!({ "words": "many" }));
    let updates = vec![(wrong.clone(), Some("a".to_owned()))];
    let update = GraphChange::Update { kind: UpdateAs::Node(None), updates };
    let command = GraphCommand { update: Some(wrong), goto: Vec::new() };
    for change in [update, GraphChange::Command(command)] {
        let refusal = thread.edit(change).expect_err("is no number");
        assert!(refusal.contains("field `words`") && refusal.contains("u64"), "{refusal}");
    }
}

#[test]
fn updates_whose_types_are_known_at_run_time_only_are_checked_then() {
    let fields = |json: Value| Values::from_payload(&pack(&json)).expect("an object");
    let as_json = Node::new(|| async { Ok::<_, Error>(json!({ "words": "many" })) });
    let command = Node::new(move || {
        let update = fields(json!({ "words": "many" }));
        async move { Ok::<_, Error>(Command::new().update(update)) }
    });
    for node in [as_json, command] {
        let graph = essay().add_node("b", node).add_edge("a", "b").compile();
        let failure = Thread::new(&graph.expect("well formed")).run(json!({}));
        let failure = failure.expect_err("is no number");
        assert_eq!(failure.kind, "InvalidUpdate");
        let told = &failure.message;
        assert!(told.contains("node `b`") && told.contains("field `words`"), "{told}");
    }
}

#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Other {
    words: String,
}

#[allow(dead_code, reason = "its update is what is used")]
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Unknown {
    wrods: u64,
}

#[allow(dead_code, reason = "its update is what is used")]
#[derive(Debug, Default, Serialize, Deserialize, State)]
#[serde(default)]
struct Fits {
    words: Value,
    topic: Option<String>,
}

#[test]
fn updates_of_other_types_are_refused_when_the_graph_is_compiled() {
    let other = || async { Ok::<_, Error>(OtherUpdate::new().words("many")) };
    let unknown = || async { Ok::<_, Error>(Some(UnknownUpdate::new().wrods(1_u64))) };
    let fits = || async { Ok::<_, Error>(FitsUpdate::new().words(json!(1)).topic(None)) };
    let error = essay().add_node("b", other).compile().expect_err("is a text");
    let text = error.to_string();
    assert!(matches!(error, GraphError::FieldType { .. }), "{text}");
    assert!(text.contains("node `b`") && text.contains("`u64`"), "{text}");
    let error = essay().add_node("b", unknown).compile().expect_err("is mistyped");
    assert!(
        matches!(&error, GraphError::UnknownField { field, .. } if field == "wrods"),
        "{error}"
    );
    essay().add_node("b", fits).compile().expect("JSON takes any form");
    let handled = Node::new(nothing).on_error(move |_: Essay, _| other());
    let error = essay().add_node("b", handled).compile().expect_err("is a text");
    assert!(error.to_string().contains("error handler"), "{error}");
    let error = essay().input::<Other>().compile().expect_err("is a text");
    assert!(error.to_string().contains("the input"), "{error}");
}

#[test]
fn results_of_graphs_of_other_types_are_refused_when_the_graph_is_compiled() {
    async fn many(_: Other) -> Result<OtherUpdate, Error> {
        Ok(OtherUpdate::new())
    }
    let inner = StateGraph::<Other>::new("inner").add_node("a", many).add_edge(START, "a");
    let inner = inner.compile().expect("well formed");
    let error = essay().add_node("b", &inner).compile().expect_err("is a text");
    assert!(error.to_string().contains("the result of node `b`"), "{error}");
}

/// What interfaces of models take and give.
fn raw() -> Value {
    let function = json!({ "name": "mul", "arguments": "{\"a\": 6}" });
    let call = json!({ "id": "c", "type": "function", "function": function });
    json!([
        { "role": "user", "content": "what is 6 * 7?" },
        { "role": "assistant", "content": null, "tool_calls": [call] },
    ])
}

#[test]
fn messages_are_read_from_the_forms_of_models() {
    let messages: Vec<Message> = serde_json::from_value(raw()).expect("are messages");
    assert_eq!((messages[0].kind.as_str(), messages[0].id.as_ref()), ("human", None));
    assert_eq!(messages[1].kind, "ai");
    assert_eq!(messages[1].tool_calls[0].name, "mul");
    assert_eq!(messages[1].tool_calls[0].args, json!({ "a": 6 }));
    let kept = serde_json::to_value(&messages).expect("is JSON");
    assert_eq!(serde_json::from_value::<Vec<Message>>(kept).expect("as written"), messages);
    let text: Message = serde_json::from_value(json!("hi")).expect("a text");
    assert_eq!(text, Message::human("hi"));
    let error = serde_json::from_value::<Message>(json!({ "role": "robot", "content": "" }));
    assert!(error.expect_err("no role").to_string().contains("`robot`"));
}

#[test]
fn paths_from_the_start_and_sent_tasks_read_messages_as_they_are_given() {
    async fn model(state: MessagesState) -> Result<MessagesStateUpdate, Error> {
        let reply = format!("{} {}", state.messages[0].kind, state.messages[0].text());
        Ok(MessagesStateUpdate::new().messages(Message::ai(reply)))
    }
    let path = |state: MessagesState| match state.messages.first() {
        Some(first) if first.kind == "human" => Send::new("model", json!({ "messages": raw() })),
        _ => Send::new("model", json!({ "messages": "one" })),
    };
    for (input, reply) in [
        (raw(), "human what is 6 * 7?"),
        (json!("hello"), "human what is 6 * 7?"),
        (json!([{ "role": "assistant", "content": "x" }]), "human one"),
    ] {
        let graph = StateGraph::<MessagesState>::new("chat")
            .add_node("model", model)
            .add_conditional_edges(START, Branch::new(path))
            .add_edge("model", END)
            .compile()
            .expect("well formed");
        let result = Thread::new(&graph).run(json!({ "messages": input })).expect("it runs");
        let messages = result["messages"].as_array().expect("a list");
        assert_eq!(messages.last().expect("a reply")["content"], reply);
    }
}
