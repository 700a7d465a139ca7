use rethread_graph::{Branch, Drawing, END, Field, Graph, Node, START, StateGraph, Values};
use rethread_sdk::Error;
use serde_json::Value;

async fn nothing(_: Value) -> Result<(), Error> {
    Ok(())
}

fn graph(name: &str) -> StateGraph<Values> {
    StateGraph::with_fields(name, [Field::append("log")])
}

fn inner() -> Graph<Values, Values> {
    graph("inner")
        .add_node("i", nothing)
        .add_node("j", nothing)
        .add_sequence([START, "i", "j", END])
        .compile()
        .expect("well formed")
}

/// Joins, maps, a graph in it, and a node that nothing known leads to.
fn outer() -> Graph<Values, Values> {
    graph("g")
        .add_node("a", nothing)
        .add_node("b", nothing)
        .add_node("c", nothing)
        .add_node("sub", inner())
        .add_node("w", Node::new(nothing).ends(["c", END]))
        .add_edge(START, "a")
        .add_edge(["a", "b"], "c")
        .add_edge("c", "sub")
        .add_conditional_edges("a", Branch::new(|_: Value| "go").map([("go", "b"), ("stop", END)]))
        .add_conditional_edges("sub", Branch::new(|_: Value| "w").drawn_to(Vec::<String>::new()))
        .compile()
        .expect("well formed")
}

fn edges(drawing: &Drawing) -> Vec<String> {
    let edges = drawing.edges.iter();
    edges
        .map(|edge| {
            let arrow = if edge.conditional { "-?>" } else { "->" };
            let label = edge.label.as_ref().map(|label| format!(" {label}")).unwrap_or_default();
            format!("{} {arrow} {}{label}", edge.source, edge.target)
        })
        .collect()
}

#[test]
fn edges_are_those_that_can_be_told() {
    let drawing = outer().draw();
    let expected = [
        "__start__ -> a",
        "a -?> __end__ stop",
        "a -?> b go",
        "a -> c",
        "b -> c",
        "c -> sub",
        "sub -> __end__",
    ];
    assert_eq!(edges(&drawing), expected);
    let nodes: Vec<_> = drawing.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(nodes, ["__start__", "a", "b", "c", "sub", "w", "__end__"]);
}

#[test]
fn mermaid_text_has_the_layout_of_langgraph() {
    let expected = concat!(
        "---\nconfig:\n  flowchart:\n    curve: linear\n---\ngraph TD;\n",
        "\t__start__(<p>__start__</p>)\n\ta(a)\n\tb(b)\n\tc(c)\n\tsub(sub)\n\tw(w)\n",
        "\t__end__(<p>__end__</p>)\n",
        "\t__start__ --> a;\n\ta -. &nbsp;stop&nbsp; .-> __end__;\n",
        "\ta -. &nbsp;go&nbsp; .-> b;\n\ta --> c;\n\tb --> c;\n\tc --> sub;\n\tsub --> __end__;\n",
        "\tclassDef default fill:#f2f0ff,line-height:1.2\n",
        "\tclassDef first fill-opacity:0\n\tclassDef last fill:#bfb6fc\n",
    );
    assert_eq!(outer().draw().to_mermaid(), expected);
}

#[test]
fn graphs_that_are_nodes_are_drawn_in_their_place() {
    let expected = concat!(
        "---\nconfig:\n  flowchart:\n    curve: linear\n---\ngraph TD;\n",
        "\t__start__(<p>__start__</p>)\n\ta(a)\n\tb(b)\n\tc(c)\n\tw(w)\n",
        "\t__end__(<p>__end__</p>)\n",
        "\t__start__ --> a;\n\ta -. &nbsp;stop&nbsp; .-> __end__;\n",
        "\ta -. &nbsp;go&nbsp; .-> b;\n\ta --> c;\n\tb --> c;\n",
        "\tc --> sub\\3ai;\n\tsub\\3aj --> __end__;\n",
        "\tsubgraph sub\n\tsub\\3ai(i)\n\tsub\\3aj(j)\n\tsub\\3ai --> sub\\3aj;\n\tend\n",
        "\tclassDef default fill:#f2f0ff,line-height:1.2\n",
        "\tclassDef first fill-opacity:0\n\tclassDef last fill:#bfb6fc\n",
    );
    assert_eq!(outer().draw_xray().to_mermaid(), expected);
}

#[test]
fn a_path_that_does_not_say_where_it_leads_is_drawn_to_every_node() {
    let graph = graph("g")
        .add_node("a", nothing)
        .add_node("b", nothing)
        .add_edge(START, "a")
        .add_conditional_edges("a", |_: Value| "b")
        .compile()
        .expect("well formed");
    let expected = ["__start__ -> a", "a -?> __end__", "a -?> a", "a -?> b", "b -> __end__"];
    assert_eq!(edges(&graph.draw()), expected);
}

#[test]
fn the_start_and_the_end_are_marked_where_they_are_the_only_ones() {
    let text = inner().draw().to_string();
    assert!(text.contains("\t__start__([<p>__start__</p>]):::first\n"), "{text}");
    assert!(text.contains("\t__end__([<p>__end__</p>]):::last\n"), "{text}");
}
