use std::time::Duration;

use rethread_graph::{
    Branch, END, Field, GraphError, Node, Reducer, Route, START, StateGraph, Values,
};
use rethread_sdk::{Cache, Error, Registry, RegistryError, Retry};
use serde::{Deserialize, Serialize};
use serde_json::Value;

async fn nothing(_: Value) -> Result<(), Error> {
    Ok(())
}

/// A graph of one node that is reached.
fn graph() -> StateGraph<Values> {
    let graph = StateGraph::with_fields("g", [Field::append("log")]);
    graph.add_node("a", nothing).add_edge(START, "a")
}

fn refused(graph: StateGraph<Values>) -> GraphError {
    graph.compile().expect_err("it is not well formed")
}

#[test]
fn what_leads_from_or_to_nowhere_is_refused() {
    let unknown = [
        graph().add_edge("a", "x"),
        graph().add_edge("x", "a"),
        graph().add_edge(["a", "x"], "a"),
        graph().add_conditional_edges("a", Branch::new(|_: Value| "x").to(["x"])),
        graph().add_conditional_edges("x", |_: Value| "a"),
        graph().interrupt_before(["x"]),
    ];
    for graph in unknown {
        let error = refused(graph);
        assert!(matches!(&error, GraphError::UnknownNode { node, .. } if node == "x"), "{error}");
    }
    assert!(matches!(refused(graph().add_edge(END, "a")), GraphError::FromEnd { .. }));
    assert!(matches!(refused(graph().add_edge("a", START)), GraphError::ToStart { .. }));
    let join = graph().add_edge([START, "a"], "a");
    assert!(matches!(refused(join), GraphError::JoinFromStart { .. }));
    let without = StateGraph::with_fields("g", []).add_node("a", nothing);
    assert!(matches!(refused(without), GraphError::NoEntry { .. }));
}

#[test]
fn names_are_unique_and_not_those_of_the_engine() {
    for name in [START, END, "a:b", "a|b", ""] {
        let error = refused(graph().add_node(name, nothing));
        assert!(matches!(&error, GraphError::InvalidName { .. }), "{error}");
    }
    assert!(matches!(refused(graph().add_node("a", nothing)), GraphError::DuplicateNode { .. }));
}

#[test]
fn what_only_commands_reach_and_names_of_fields_are_fine() {
    let graph = graph().add_node("alone", nothing).add_node("log", nothing);
    assert_eq!(graph.compile().expect("well formed").name(), "g");
}

#[derive(Debug, Clone, Copy, Route)]
enum Next {
    A,
    Nowhere,
}

#[test]
fn routes_are_checked_before_they_are_taken() {
    let to_a = graph().add_conditional_edges("a", |_: Value| Next::A);
    let error = refused(to_a);
    assert!(error.to_string().contains("`nowhere`"), "{error}");
    assert_eq!(Next::DESTINATIONS, ["a", "nowhere"]);
    assert_eq!(Next::Nowhere.destination(), "nowhere");
}

#[test]
fn a_reducer_wins_over_a_plain_field_and_two_disagree() {
    let graph = || StateGraph::with_fields("g", [Field::last("log")]).add_node("a", nothing);
    let joined = graph().add_edge(START, "a").private_fields([Field::append("log")]);
    joined.compile().expect("one of the two has a reducer");
    let both = graph().private_fields([Field::append("log"), Field::add("log")]);
    assert!(matches!(refused(both), GraphError::Reducers { .. }));
    let own = |name| Reducer::own(name, 0, |old: i64, new: i64| Ok(old.max(new)));
    let same = graph().private_fields([Field::new("n", own("max")), Field::new("n", own("max"))]);
    same.add_edge(START, "a").compile().expect("both mean the same function");
}

#[test]
fn options_of_workers_are_not_those_of_graphs() {
    let inner = graph().compile().expect("well formed");
    let outer = StateGraph::with_fields("outer", [Field::append("log")])
        .add_node("sub", Node::graph(&inner).retry(Retry::attempts(2)))
        .add_edge(START, "sub");
    assert!(matches!(refused(outer), GraphError::OptionOfSubgraph { option: "retry", .. }));
    let inner = graph().compile().expect("well formed");
    let sub = || Node::graph(&inner);
    for (node, expected) in [
        (sub().queue("slow"), "queue"),
        (sub().version("2"), "version"),
        (sub().inline(), "`inline`"),
        (sub().cache_key(|_: &Value| String::new()), "cache"),
    ] {
        let outer = StateGraph::with_fields("outer", [Field::append("log")]);
        let error = refused(outer.add_node("sub", node).add_edge(START, "sub"));
        let is_it = |option: &str| option == expected;
        assert!(
            matches!(&error, GraphError::OptionOfSubgraph { option, .. } if is_it(option)),
            "{error}"
        );
    }
}

#[test]
fn options_of_workers_are_not_those_of_inline_nodes() {
    let inline = || Node::new(nothing).inline();
    for (node, expected) in [
        (inline().retry(Retry::attempts(2)), "retry"),
        (inline().timeout(Duration::from_secs(1)), "timeout"),
        (inline().idle_timeout(Duration::from_secs(1)), "timeout"),
        (inline().cache(Cache::forever()), "cache"),
        (inline().queue("slow"), "queue"),
        (inline().version("2"), "version"),
    ] {
        let error = refused(graph().add_node("b", node));
        let is_it = |option: &str| option == expected;
        assert!(
            matches!(&error, GraphError::OptionOfInline { option, .. } if is_it(option)),
            "{error}"
        );
    }
    // What all nodes of a graph get without saying so, inline ones do without.
    let defaults = graph().default_retry(Retry::attempts(2)).default_cache(Cache::forever());
    defaults.add_node("b", inline()).compile().expect("well formed");
}

#[test]
fn what_leads_nowhere_for_want_of_a_name_is_refused() {
    let bool_path = graph().add_conditional_edges("a", |_: Value| true);
    assert!(matches!(refused(bool_path), GraphError::NoMap { .. }));
    let in_result = |_: Value| Ok::<_, Error>(Some(true));
    let in_result = graph().add_conditional_edges("a", in_result);
    assert!(matches!(refused(in_result), GraphError::NoMap { .. }));
    let mapped = Branch::new(|_: Value| true).map([(true, "a"), (false, END)]);
    graph().add_conditional_edges("a", mapped).compile().expect("the map says where");
    let no_sources = graph().add_edge(Vec::<String>::new(), "a");
    assert!(matches!(refused(no_sources), GraphError::EmptyJoin { .. }));
    let ends = graph().add_node("b", Node::new(nothing).ends(["a", END, "x"]));
    let error = refused(ends);
    assert!(matches!(&error, GraphError::UnknownNode { node, .. } if node == "x"), "{error}");
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Refuses(#[serde(serialize_with = "refuse")] u8);

fn refuse<S: serde::Serializer>(_: &u8, _: S) -> Result<S::Ok, S::Error> {
    Err(serde::ser::Error::custom("no"))
}

#[test]
fn an_initial_value_that_cannot_be_recorded_is_refused() {
    let own = Reducer::own("own", Refuses(1), |old: Refuses, _: Refuses| Ok(old));
    let error = refused(graph().private_fields([Field::new("own", own)]));
    assert!(matches!(&error, GraphError::InitialValue { field, .. } if field == "own"), "{error}");
}

#[test]
fn a_graph_registers_its_nodes_and_the_graphs_in_it_once() {
    let inner = graph().compile().expect("well formed");
    let outer = StateGraph::with_fields("outer", [Field::append("log")])
        .add_node("sub", &inner)
        .add_node("b", nothing)
        .add_sequence([START, "sub", "b", END])
        .compile()
        .expect("well formed");
    let registry = Registry::builder().graph(&outer).graph(&inner).graph(&outer).build();
    let registry = registry.expect("the same graph may come again");
    assert_eq!(registry.entrypoint_names().collect::<Vec<_>>(), ["g", "outer"]);
    assert_eq!(registry.task_names().collect::<Vec<_>>(), ["g:a", "outer:b"]);
    let other = graph().compile().expect("well formed");
    let error = Registry::builder().graph(&inner).graph(&other).build().expect_err("two named `g`");
    assert!(matches!(&error, RegistryError::DuplicateGraph { name } if name == "g"), "{error}");
}
