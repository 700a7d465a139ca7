use rethread_graph::{
    Branch, END, Field, GraphError, Node, Reducer, Route, START, StateGraph, Values,
};
use rethread_sdk::{Error, Registry, Retry};
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
    assert!(Registry::builder().graph(&inner).graph(&other).build().is_err(), "two named `g`");
}
