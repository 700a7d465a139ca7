//! From a case to graphs.

use std::collections::BTreeMap;
use std::time::Duration;

use rethread::Error;
use rethread_graph::{Branch, Field, Graph, Node, NodeError, Reducer, StateGraph, Values};
use serde_json::Value;

use super::bodies::Place;
use super::spec::{BranchSpec, FieldSpec, GraphSpec, KnownField, NodeSpec, ReduceSpec};
use crate::body::World;
use crate::case::OneOrMany;
use crate::data::Data;
use crate::eval::{Eval, Held, Variables};
use crate::program::{self, NoCounters};

/// A graph of a case.
pub(crate) type BuiltGraph = Graph<Values, Values>;

/// The graphs of a case by name, or what is wrong with them.
#[derive(Debug, Default)]
pub(crate) struct Graphs(BTreeMap<String, Result<BuiltGraph, String>>);

impl Graphs {
    /// Builds all graphs of a case.
    pub(crate) fn of(world: &World) -> Self {
        let mut graphs = Self::default();
        for (name, _) in &world.case.program.graphs.0 {
            // What is wrong with it is kept.
            drop(graphs.build(world, name));
        }
        graphs
    }

    /// A graph, or what is wrong with it; none if there is none of this name.
    pub(crate) fn get(&self, name: &str) -> Option<Result<&BuiltGraph, &str>> {
        self.0.get(name).map(|graph| graph.as_ref().map_err(String::as_str))
    }

    /// Those that are well formed.
    pub(crate) fn all(&self) -> impl Iterator<Item = &BuiltGraph> {
        self.0.values().filter_map(|graph| graph.as_ref().ok())
    }

    fn build(&mut self, world: &World, name: &str) -> Result<BuiltGraph, String> {
        if let Some(known) = self.0.get(name) {
            return known.clone();
        }
        // What a graph finds that is within itself.
        self.0.insert(name.to_owned(), Err(format!("graph `{name}` is within itself")));
        let spec = world.case.graph(name).ok_or_else(|| format!("no graph `{name}`"));
        let built = spec.and_then(|spec| self.graph(world, name, spec));
        self.0.insert(name.to_owned(), built.clone());
        built
    }

    fn graph(&mut self, world: &World, name: &str, spec: &GraphSpec) -> Result<BuiltGraph, String> {
        let place = |of: &str| Place { world: world.clone(), graph: name.into(), name: of.into() };
        let (private, state): (Vec<_>, Vec<_>) =
            spec.state.0.iter().partition(|(field, _)| spec.private.contains(field));
        let fields = |of: Vec<&(String, FieldSpec)>| -> Vec<Field> {
            of.into_iter().map(|(field, spec)| self::field(name, field, spec)).collect()
        };
        let mut graph = StateGraph::with_fields(name, fields(state))
            .private_fields(fields(private))
            .history(program::history(world.case.checkpointer(name)))
            .interrupt_before(spec.interrupt_before.as_slice())
            .interrupt_after(spec.interrupt_after.as_slice());
        if let Some(input) = &spec.input {
            graph = graph.input_fields(input);
        }
        if let Some(output) = &spec.output {
            graph = graph.output_fields(output);
        }
        for (node, node_spec) in &spec.nodes.0 {
            let made = match &node_spec.graph {
                Some(within) => Node::graph(&self.build(world, within)?),
                None => function(place(node)),
            };
            graph = graph.add_node(node, with_options(made, node_spec, &place(node)));
        }
        for (sources, target) in &spec.edges {
            graph = match sources {
                OneOrMany::One(source) => graph.add_edge(source.as_str(), target),
                OneOrMany::Many(sources) => graph.add_edge(sources.clone(), target),
            };
        }
        for (number, branch) in spec.branches.iter().enumerate() {
            let made = self::branch(place(&number.to_string()), number, branch);
            graph = graph.add_conditional_edges(&branch.from, made);
        }
        graph.compile().map_err(|error| error.to_string())
    }
}

fn function(place: Place) -> Node {
    Node::new(move |state: Value| place.clone().node(state))
}

fn with_options(mut node: Node, spec: &NodeSpec, place: &Place) -> Node {
    if place.world.is_inline && spec.may_be_inline() {
        node = node.inline();
    }
    if let Some(fields) = &spec.input {
        node = node.sees(fields);
    }
    let retries = program::retries(&spec.retry);
    if !retries.is_empty() {
        node = node.retry(retries);
    }
    if let Some(ms) = spec.timeout_ms {
        node = node.timeout(Duration::from_millis(ms));
    }
    if let Some(policy) = &spec.cache {
        node = node.cache(program::cache(policy));
        if let Some(key) = policy.key.clone() {
            let params = ["state".to_owned()];
            node = node.cache_key(move |state: &Value| {
                program::key_of(&key, &params, std::slice::from_ref(state))
            });
        }
    }
    if spec.on_error.is_some() {
        let place = place.clone();
        node = node
            .on_error(move |state: Value, error: NodeError| place.clone().handler(state, error));
    }
    if spec.defer {
        node = node.defer();
    }
    if !spec.ends.is_empty() {
        node = node.ends(&spec.ends);
    }
    node
}

fn branch(place: Place, number: usize, spec: &BranchSpec) -> Branch {
    let branch = Branch::new(move |state: Value| place.clone().path(state));
    let branch = branch.named(spec.name(number));
    match &spec.map {
        Some(map) => branch.map(map.entries()),
        // LangGraph draws no edge for it; here it would be drawn to every node.
        None => branch.drawn_to(Vec::<String>::new()),
    }
}

fn field(graph: &str, name: &str, spec: &FieldSpec) -> Field {
    let reducer = match spec {
        FieldSpec::Known(known) => match known {
            KnownField::Last => Reducer::Last,
            KnownField::Append => Reducer::Append,
            KnownField::Add => Reducer::Add,
            KnownField::Merge => Reducer::Merge,
            KnownField::Messages => Reducer::Messages,
            KnownField::Ephemeral => Reducer::Ephemeral,
            KnownField::Untracked => Reducer::Untracked,
            KnownField::RemainingSteps => Reducer::RemainingSteps,
            KnownField::IsLastStep => Reducer::IsLastStep,
        },
        FieldSpec::Reduce(spec) => own(&format!("{graph}.{name}"), spec),
    };
    Field::new(name, reducer)
}

fn own(name: &str, spec: &ReduceSpec) -> Reducer {
    let reduce = spec.reduce.clone();
    let reduce = move |old: Data, new: Data| -> Result<Data, Error> {
        let held = [("old", old), ("new", new)];
        let held = held.map(|(name, value)| (name.to_owned(), Held::Value(value.0)));
        let variables = Variables::from(held);
        let eval = Eval { variables: &variables, counters: &NoCounters };
        eval.value(&reduce).map(Data).map_err(|error| Error::new("BrokenTest", error))
    };
    match &spec.init {
        Some(init) => Reducer::own(name, Data(init.clone()), reduce),
        None => Reducer::own_from_first(name, reduce),
    }
}
