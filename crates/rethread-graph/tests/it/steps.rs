use rethread_core::failure::kind;
use rethread_core::graph::{Destination, GraphChange, GraphCommand, NodeOutput, TaskResult};
use rethread_core::ids::RunId;
use rethread_core::message::UpdateAs;
use rethread_core::payload::Payload;
use rethread_graph::{
    Branch, Command, END, Field, Graph, Node, NodeError, Reducer, START, Send, Sent, StateGraph,
    Values,
};
use rethread_sdk::{Cache, Error, interrupt};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::driver::{Thread, pack, unpack};

fn graph() -> StateGraph<Values> {
    StateGraph::with_fields("g", [Field::last("x"), Field::append("log")])
}

fn done(graph: StateGraph<Values>) -> Thread {
    Thread::new(&graph.compile().expect("well formed"))
}

/// A node that writes its name.
fn logs(name: &'static str) -> Node {
    Node::new(move |_: Value| async move { Ok::<_, Error>(json!({ "log": [name] })) })
}

fn fields(json: Value) -> Values {
    Values::from_payload(&pack(&json)).expect("an object")
}

fn log(result: Result<Value, rethread_core::failure::Failure>) -> Value {
    result.map(|result| result["log"].clone()).unwrap_or_else(|failure| json!(failure.kind))
}

#[test]
fn nodes_see_the_state_at_the_beginning_of_their_step() {
    let sees = |state: Value| async move { Ok::<_, Error>(json!({ "log": [state["log"]] })) };
    let graph = graph().add_node("a", sees).add_node("b", sees);
    let mut thread = done(graph.add_edge(START, "b").add_edge(START, "a"));
    assert_eq!(log(thread.run(json!({ "log": [1] }))), json!([1, [1], [1]]));
    assert_eq!(thread.ran, [vec![], vec!["a".to_owned(), "b".to_owned()]]);
}

#[test]
fn updates_count_in_the_order_of_names_and_sends() {
    let sends = |_: Value| vec![Send::new("w", 2), Send::new("w", 1)];
    let sent = |n: Value| async move { Ok::<_, Error>(json!({ "log": [n] })) };
    let graph = graph()
        .add_node("w", sent)
        .add_node("b", logs("b"))
        .add_node("B", logs("B"))
        .add_conditional_edges(START, Branch::new(sends))
        .add_edge(START, "b")
        .add_edge(START, "B");
    assert_eq!(log(done(graph).run(json!({}))), json!(["B", "b", 2, 1]));
}

#[test]
fn paths_see_the_update_of_their_node_and_of_no_other() {
    let sends = |state: Value| Send::new("c", state["log"].clone());
    let sees = |seen: Value| async move { Ok::<_, Error>(json!({ "log": [seen] })) };
    let graph = graph()
        .add_node("a", logs("a"))
        .add_node("b", logs("b"))
        .add_node("c", sees)
        .add_edge(START, "a")
        .add_edge(START, "b")
        .add_conditional_edges("b", sends);
    assert_eq!(
        log(done(graph).run(json!({ "log": ["in"] }))),
        json!(["in", "a", "b", ["in", "b"]])
    );
}

#[test]
fn a_path_of_a_sent_node_sees_the_state_and_not_what_was_sent() {
    let to = |state: Value| if state["x"] == 1 { "c" } else { END };
    let graph = graph()
        .add_node("b", logs("b"))
        .add_node("c", logs("c"))
        .add_conditional_edges(START, |_: Value| Send::new("b", json!({ "x": 9 })))
        .add_conditional_edges("b", to);
    assert_eq!(log(done(graph).run(json!({ "x": 1 }))), json!(["b", "c"]));
}

#[test]
fn commands_go_somewhere_besides_the_edges() {
    let goes = |_: Value| async {
        let command = Command::goto("c").and_goto(END).and_goto(Send::new("w", json!({})));
        Ok::<_, Error>(command.update(fields(json!({ "log": ["a"] }))))
    };
    let graph = graph()
        .add_node("a", goes)
        .add_node("b", logs("b"))
        .add_node("c", logs("c"))
        .add_node("w", logs("w"))
        .add_edge(START, "a")
        .add_edge("a", "b");
    assert_eq!(log(done(graph).run(json!({}))), json!(["a", "b", "c", "w"]));
}

#[test]
fn destinations_that_do_not_exist_are_errors_of_the_node() {
    let to_x = |_: Value| async { Ok::<_, Error>(Command::goto("x")) };
    let send = |_: Value| async { Ok::<_, Error>(Command::goto(Send::new("x", 1))) };
    for node in [Node::new(to_x), Node::new(send)] {
        let mut thread = done(graph().add_node("a", node).add_edge(START, "a"));
        assert_eq!(log(thread.run(json!({}))), json!(kind::INVALID_DESTINATION));
        let view = thread.view.expect("the step has a view");
        assert_eq!(view.tasks[0].result, None);
        assert_eq!(unpack(&view.values), json!({ "log": [] }));
    }
    let path = Branch::new(|_: Value| true).map([("false", "a")]);
    let graph = graph().add_node("a", logs("a")).add_edge(START, "a");
    let mut thread = done(graph.add_conditional_edges("a", path));
    assert_eq!(log(thread.run(json!({}))), json!(kind::INVALID_DESTINATION));
}

#[test]
fn the_view_of_a_step_has_what_has_ended() {
    let fails = |_: Value| async { Err::<(), _>(Error::new("Broken", "it broke")) };
    let graph = graph()
        .add_node("a", logs("a"))
        .add_node("b", fails)
        .add_edge(START, "a")
        .add_edge(START, "b");
    let mut thread = done(graph);
    assert_eq!(log(thread.run(json!({ "log": ["in"] }))), json!("Broken"));
    let view = thread.view.expect("the step has a view");
    assert!(view.changed);
    assert_eq!(unpack(&view.values), json!({ "log": ["in", "a"] }));
    let names: Vec<_> = view.tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    let result = view.tasks[0].result.as_ref().map(unpack);
    assert_eq!(result, Some(json!({ "log": ["a"] })));
}

#[test]
fn a_handler_takes_the_place_of_its_node_without_its_edges() {
    let fails = |_: Value| async { Err::<(), _>(Error::new("Broken", "it broke")) };
    let handles = |_: Value, error: NodeError| async move {
        let text = format!("{} {}", error.node, error.error.message());
        Ok::<_, Error>(Command::goto("c").update(fields(json!({ "log": [text] }))))
    };
    let graph = graph()
        .add_node("a", Node::new(fails).on_error(handles))
        .add_node("b", logs("b"))
        .add_node("c", logs("c"))
        .add_edge(START, "a")
        .add_edge("a", "b");
    assert_eq!(log(done(graph).run(json!({}))), json!(["a it broke", "c"]));
}

#[test]
fn a_default_handler_is_for_nodes_without_one() {
    let fails = |_: Value| async { Err::<(), _>(Error::new("Broken", "it broke")) };
    let handler = |name: &'static str| {
        move |_: Value, _: NodeError| async move { Ok::<_, Error>(json!({ "log": [name] })) }
    };
    let graph = graph()
        .add_node("a", Node::new(fails).on_error(handler("own")))
        .add_node("b", fails)
        .add_edge(START, "a")
        .add_edge(START, "b")
        .default_on_error(handler("default"));
    assert_eq!(log(done(graph).run(json!({}))), json!(["own", "default"]));
}

fn leaving() -> Graph<Values, Values> {
    let leaves = |_: Value| async {
        Ok::<_, Error>(Command::goto("c").update(fields(json!({ "log": ["i"] }))).to_parent())
    };
    StateGraph::with_fields("inner", [Field::last("x")])
        .add_node("i", leaves)
        .add_node("j", logs("j"))
        .add_sequence([START, "i", "j"])
        .compile()
        .expect("well formed")
}

#[test]
fn a_command_to_the_parent_counts_as_one_of_the_node() {
    let graph = graph()
        .add_node("sub", leaving())
        .add_node("b", logs("b"))
        .add_node("c", logs("c"))
        .add_edge(START, "sub")
        .add_edge("sub", "b");
    assert_eq!(log(done(graph).run(json!({}))), json!(["i", "b", "c"]));
    let mut root = Thread::new(&leaving());
    assert_eq!(root.run(json!({})).expect_err("no parent").kind, kind::NO_PARENT_GRAPH);
}

#[test]
fn a_command_to_the_parent_that_leads_nowhere_is_an_error_of_the_node() {
    let graph = || graph().add_node("sub", leaving()).add_edge(START, "sub");
    let mut thread = done(graph());
    assert_eq!(log(thread.run(json!({ "log": ["in"] }))), json!(kind::INVALID_DESTINATION));
    let view = thread.view.take().expect("the step has a view");
    assert_eq!(unpack(&view.values), json!({ "log": ["in"] }), "nothing of it is kept");
    assert_eq!(view.tasks[0].result, None);
    let failure = view.tasks[0].failure.as_ref().expect("it has failed");
    assert!(failure.message.contains("`c`"), "{}", failure.message);
    thread.deploy(&graph().add_node("c", logs("c")).compile().expect("well formed"));
    assert_eq!(log(thread.go_on()), json!(["in", "i", "c"]), "the node is there now");
}

#[test]
fn paths_in_the_coordinator_only_look_at_the_state() {
    async fn asks(_: Value) -> &'static str {
        interrupt::<bool>("go on?").await.map_or(END, |_| "a")
    }
    async fn waits(_: Value) -> &'static str {
        std::future::pending::<()>().await;
        "a"
    }
    fn sends(_: Value) -> &'static str {
        rethread_sdk::emit("x").map_or(END, |()| "a")
    }
    let at_start =
        |branch: Branch| graph().add_node("a", logs("a")).add_conditional_edges(START, branch);
    let behind = |branch: Branch| {
        let inner = graph().add_node("b", logs("b")).add_edge(START, "b");
        let inner = inner.compile().expect("well formed");
        let outer = StateGraph::with_fields("outer", [Field::append("log")]);
        let outer = outer.add_node("sub", &inner).add_node("a", logs("a"));
        outer.add_edge(START, "sub").add_conditional_edges("sub", branch)
    };
    for (branch, does) in [
        (Branch::new(asks), "asks a person"),
        (Branch::new(waits), "waits for something"),
        (Branch::new(sends), "writes to the stream"),
    ] {
        for graph in [at_start(branch.clone()), behind(branch)] {
            let failure = done(graph).run(json!({})).expect_err("it may not");
            assert_eq!(failure.kind, kind::INVALID_GRAPH);
            assert!(failure.message.contains(does), "{}", failure.message);
        }
    }
}

#[test]
fn a_state_that_the_cache_key_does_not_take_is_an_error_of_the_node() {
    let cached = logs("a").cache(Cache::forever()).cache_key(|x: &Sent<u8>| x.0.to_string());
    let failure = done(graph().add_node("a", cached).add_edge(START, "a")).run(json!({}));
    let failure = failure.expect_err("the state is no number");
    assert!(failure.message.contains("`a`"), "{}", failure.message);
}

#[test]
fn joins_are_told_apart_whatever_their_nodes_are_named() {
    let names = ["a", "b+c", "a+b", "c"];
    let graph = names.iter().fold(graph(), |graph, name| graph.add_node(*name, logs(name)));
    let graph = graph
        .add_node("end", logs("end"))
        .add_edge(START, "a")
        .add_edge("a", "c")
        .add_edge(["a", "b+c"], "end")
        .add_edge(["a+b", "c"], "end");
    assert_eq!(log(done(graph).run(json!({}))), json!(["a", "c"]), "neither join is full");
}

#[test]
fn inputs_and_outputs_are_parts_of_the_state() {
    let all = |state: Value| async move { Ok::<_, Error>(json!({ "log": [state], "x": 2 })) };
    let graph = graph().input_fields(["x"]).output_fields(["x"]);
    let mut thread = done(graph.add_node("a", all).add_edge(START, "a"));
    assert_eq!(thread.run(json!({ "x": 1, "log": [0], "zzz": 0 })), Ok(json!({ "x": 2 })));
    assert_eq!(thread.run(json!(5)).expect_err("no map").kind, kind::INVALID_UPDATE);
}

#[test]
fn private_fields_are_seen_by_those_who_name_them() {
    let sees = |state: Value| async move { Ok::<_, Error>(json!({ "note": 1, "log": [state] })) };
    let graph = graph()
        .private_fields([Field::last("note")])
        .add_node("a", sees)
        .add_node("b", Node::new(sees).sees(["note"]))
        .add_sequence([START, "a", "b"]);
    assert_eq!(log(done(graph).run(json!({}))), json!([{ "log": [] }, { "note": 1 }]));
}

#[test]
fn untracked_fields_are_in_results_and_ephemeral_ones_end() {
    let fields = [Field::new("u", Reducer::Untracked), Field::new("e", Reducer::Ephemeral)];
    let sees =
        |state: Value| async move { Ok::<_, Error>(json!({ "log": [[state["u"], state["e"]]] })) };
    let graph = StateGraph::with_fields("g", fields.into_iter().chain([Field::append("log")]))
        .add_node("a", sees)
        .add_node("b", sees)
        .add_sequence([START, "a", "b"]);
    let mut thread = done(graph);
    let result = thread.run(json!({ "u": 1, "e": 2 }));
    assert_eq!(result, Ok(json!({ "u": 1, "log": [[1, 2], [1, null]] })));
    assert_eq!(log(thread.run(json!({}))), json!([[1, 2], [1, null], [null, null], [null, null]]));
}

#[test]
fn breakpoints_stop_between_steps() {
    let graph = graph()
        .add_node("a", logs("a"))
        .add_node("b", logs("b"))
        .add_sequence([START, "a", "b"])
        .interrupt_before(["b"])
        .interrupt_after(["b"]);
    let mut thread = done(graph);
    assert_eq!(log(thread.run(json!({}))), json!(["a"]));
    assert_eq!(log(thread.go_on()), json!(["a", "b"]), "nothing comes after the last");
}

#[test]
fn a_checkpoint_that_leads_to_a_node_which_is_gone_says_so() {
    let first = || graph().add_node("a", logs("a")).add_edge(START, "a").interrupt_after(["a"]);
    let mut thread = done(first().add_node("b", logs("b")).add_edge("a", "b"));
    assert_eq!(log(thread.run(json!({}))), json!(["a"]));
    thread.deploy(&first().compile().expect("well formed"));
    let failure = thread.go_on().expect_err("`b` is gone");
    assert_eq!(failure.kind, kind::INVALID_GRAPH);
    assert!(failure.message.contains("`b`"), "{}", failure.message);
    // Fields and nodes may be added.
    let more = first().private_fields([Field::add("n")]).add_node("b", logs("new b"));
    thread.deploy(&more.compile().expect("well formed"));
    assert_eq!(thread.go_on().expect("it goes on"), json!({ "log": ["a", "new b"] }));
}

fn update(values: Value, node: Option<&str>) -> GraphChange {
    let updates = vec![(pack(&values), node.map(str::to_owned))];
    GraphChange::Update { kind: UpdateAs::Node(None), updates }
}

#[test]
fn updates_take_the_edges_and_paths_of_their_node() {
    let to = |state: Value| if state["x"] == 1 { "b" } else { "c" };
    let graph = graph()
        .add_node("a", logs("a"))
        .add_node("b", logs("b"))
        .add_node("c", logs("c"))
        .add_edge(START, "a")
        .add_conditional_edges("a", to);
    let mut thread = done(graph);
    assert_eq!(log(thread.run(json!({ "x": 1 }))), json!(["a", "b"]));
    assert_eq!(thread.edit(update(json!({ "x": 2 }), Some("a"))), Ok(vec!["c".to_owned()]));
    assert_eq!(log(thread.go_on()), json!(["a", "b", "c"]));
    // Without a name: as the node that ran last.
    assert_eq!(thread.edit(update(json!({ "log": ["u"], "zzz": 1 }), None)), Ok(vec![]));
    assert!(thread.edit(update(json!(7), None)).is_err());
    assert!(thread.edit(update(json!({}), Some("nobody"))).is_err());
    let end = GraphChange::Update { kind: UpdateAs::End, updates: vec![(Payload::NULL, None)] };
    assert_eq!(thread.edit(update(json!({ "x": 1 }), Some("a"))), Ok(vec!["b".to_owned()]));
    assert_eq!(thread.edit(end), Ok(vec![]));
}

#[test]
fn ending_a_step_does_not_follow_the_edges_of_a_node_that_failed() {
    let graph = || {
        let graph = graph().add_node("a", logs("a")).add_node("b", logs("b"));
        let graph = graph.add_node("c", logs("c")).add_edge(START, "a").add_edge("a", "b");
        graph.interrupt_before(["a"])
    };
    let end = || GraphChange::Update { kind: UpdateAs::End, updates: vec![(Payload::NULL, None)] };
    let output = NodeOutput {
        updates: vec![pack(&json!({ "log": ["handled"] }))],
        goto: vec![Destination::Node("c".into())],
        to_parent: false,
    };
    let result = Some(Payload::encode(&output, "output").expect("encodes"));
    let run = RunId::from_uuid(Uuid::from_u128(9));
    for (is_handled, next) in [(true, vec!["c"]), (false, vec!["b", "c"])] {
        let mut thread = done(graph());
        assert_eq!(log(thread.run(json!({}))), json!([]));
        let results = vec![TaskResult { name: "a".into(), result: result.clone(), is_handled }];
        let left = thread.edit_in(run, results, end()).expect("it ends");
        assert_eq!(left, next);
        assert_eq!(thread.shown, Some(json!({ "log": ["handled"] })));
    }
}

#[test]
fn messages_of_edits_have_ids_of_their_own() {
    let graph = || {
        let graph = StateGraph::with_fields("g", [Field::messages("messages")]);
        graph.add_node("a", || async { Ok::<_, Error>(()) }).add_edge(START, "a")
    };
    let id_after = |run: u128| {
        let mut thread = done(graph());
        let run = RunId::from_uuid(Uuid::from_u128(run));
        let change = update(json!({ "messages": "hi" }), Some("a"));
        thread.edit_in(run, Vec::new(), change).expect("it is made");
        thread.shown.expect("is shown")["messages"][0]["id"].clone()
    };
    assert_eq!(id_after(1), id_after(1), "the same edit, made again");
    assert_ne!(id_after(1), id_after(2), "an equal edit of another thread");
}

#[test]
fn an_update_on_a_new_thread_is_one_of_the_start() {
    let graph = graph().add_node("a", logs("a")).add_edge(START, "a");
    let mut thread = done(graph);
    assert_eq!(thread.edit(update(json!({ "log": ["u"] }), None)), Ok(vec!["a".to_owned()]));
    assert_eq!(log(thread.go_on()), json!(["u", "a"]));
}

#[test]
fn after_a_step_of_several_nodes_an_update_says_whose_it_is() {
    let graph = graph().add_node("a", logs("a")).add_node("b", logs("b"));
    let mut thread = done(graph.add_edge(START, "a").add_edge(START, "b"));
    assert_eq!(log(thread.run(json!({}))), json!(["a", "b"]));
    let refused = thread.edit(update(json!({}), None)).expect_err("ambiguous");
    assert!(refused.contains("`a`, `b`"), "{refused}");
}

#[test]
fn commands_change_the_step_that_is_planned() {
    let graph = graph().add_node("a", logs("a")).add_node("b", logs("b")).add_edge(START, "a");
    let mut thread = done(graph);
    assert_eq!(log(thread.run(json!({}))), json!(["a"]));
    let command = GraphCommand {
        update: Some(pack(&json!({ "log": ["cmd"] }))),
        goto: vec![Destination::Node("b".into())],
    };
    assert_eq!(thread.edit(GraphChange::Command(command)), Ok(vec!["b".to_owned()]));
    assert_eq!(log(thread.go_on()), json!(["a", "cmd", "b"]));
    let goto = vec![Destination::Node("x".into())];
    let command = GraphCommand { update: None, goto };
    assert!(thread.edit(GraphChange::Command(command)).is_err());
}
