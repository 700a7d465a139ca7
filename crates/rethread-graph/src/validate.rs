//! From what was added to a graph to what steps are played by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rethread_core::graph::Node as ShownNode;
use rethread_sdk::TaskDef;

use crate::branch::Branch;
use crate::compiled::{Compiled, CompiledKind, CompiledNode, NodeTask};
use crate::error::GraphError;
use crate::field_type::FieldType;
use crate::node::{Kind, Node};
use crate::run::{self, Around, HandlerCode, NodeCode};
use crate::schema::{Field, Schema};
use crate::state_graph::{Names, Parts};
use crate::topology::{Topology, TopologyNode};
use crate::{END, START};

/// Checks a graph and puts it together.
pub(crate) fn compile(parts: &Parts) -> Result<Arc<Compiled>, GraphError> {
    let schema = schema(parts)?;
    let topology = topology(parts)?;
    check_edges(parts, &topology)?;
    check_branches(parts, &topology)?;
    check_breakpoints(parts, &topology)?;
    check_ends(parts, &topology)?;
    check_types(parts, &schema)?;
    let written = |fields: &[Field]| names(fields, |field| !field.reducer().is_managed());
    let all = schema.fields().filter(|(_, reducer)| !reducer.is_managed());
    let all: BTreeSet<_> = all.map(|(name, _)| name.to_owned()).collect();
    let state = names(&parts.state, |_| true);
    let state_written = written(&parts.state);
    let of = |names: &Option<Names>, place| match names {
        None => Ok(state_written.clone()),
        Some(Names::Fields(fields)) => Ok(written(fields)),
        Some(Names::Names(given)) => known(parts, &schema, place, given),
    };
    let input = of(&parts.input, "the input")?;
    let output = of(&parts.output, "the output")?;
    let (schema, topology) = (Arc::new(schema), Arc::new(topology));
    let mut nodes = BTreeMap::new();
    for (name, node) in &parts.nodes {
        let fields = match (&node.field_names, &node.fields) {
            (Some(given), _) => known(parts, &schema, &format!("node `{name}`"), given)?,
            (None, Some(fields)) => names(fields, |_| true),
            (None, None) => state.clone(),
        };
        let (schema, topology) = (Arc::clone(&schema), Arc::clone(&topology));
        let around = Around { schema, topology, fields, is_checked: node.writes.is_some() };
        nodes.insert(name.clone(), compile_node(parts, name, node, around)?);
    }
    Ok(Arc::new(Compiled {
        name: Arc::from(parts.name.as_str()),
        has_own_output: output != all,
        schema,
        topology,
        nodes,
        branches: parts.branches.clone(),
        state,
        input,
        output,
        interrupt_before: parts.interrupt_before.clone(),
        interrupt_after: parts.interrupt_after.clone(),
        history: parts.history,
        ends: parts.nodes.iter().map(|(name, node)| (name.clone(), node.ends.clone())).collect(),
    }))
}

fn names(fields: &[Field], keep: impl Fn(&Field) -> bool) -> BTreeSet<String> {
    fields.iter().filter(|field| keep(field)).map(|field| field.name().to_owned()).collect()
}

fn known(
    parts: &Parts,
    schema: &Schema,
    place: &str,
    given: &[String],
) -> Result<BTreeSet<String>, GraphError> {
    match given.iter().find(|field| schema.reducer(field).is_none()) {
        None => Ok(given.iter().cloned().collect()),
        Some(field) => Err(GraphError::UnknownField {
            graph: parts.name.clone(),
            place: place.to_owned(),
            field: field.clone(),
        }),
    }
}

fn schema(parts: &Parts) -> Result<Schema, GraphError> {
    let of_names = |names: &Option<Names>| match names {
        Some(Names::Fields(fields)) => fields.clone(),
        Some(Names::Names(_)) | None => Vec::new(),
    };
    let of_nodes = parts.nodes.iter().flat_map(|(_, node)| node.fields.iter().flatten().cloned());
    let branches = parts.branches.values().flatten();
    let of_paths = branches.flat_map(|branch| branch.fields.iter().flatten().cloned());
    let mut schema = Schema::default();
    let fields = parts.state.iter().chain(&parts.private).cloned();
    let fields = fields.chain(of_names(&parts.input)).chain(of_names(&parts.output));
    for field in fields.chain(of_nodes).chain(of_paths) {
        schema.join(&field).map_err(|disagreement| GraphError::Reducers {
            graph: parts.name.clone(),
            field: disagreement.field,
        })?;
    }
    Ok(schema)
}

fn topology(parts: &Parts) -> Result<Topology, GraphError> {
    let mut topology = Topology { joins: parts.joins.clone(), ..Topology::default() };
    for (name, node) in &parts.nodes {
        let is_reserved = name == START || name == END;
        if is_reserved || name.is_empty() || name.contains([':', '|']) {
            let (graph, node) = (parts.name.clone(), name.clone());
            return Err(GraphError::InvalidName { graph, node });
        }
        if topology.has(name) {
            let (graph, node) = (parts.name.clone(), name.clone());
            return Err(GraphError::DuplicateNode { graph, node });
        }
        topology.nodes.push(TopologyNode { name: name.clone(), is_deferred: node.is_deferred });
    }
    for (from, to) in &parts.edges {
        topology.edges.entry(from.clone()).or_default().push(to.clone());
    }
    Ok(topology)
}

fn check_edges(parts: &Parts, topology: &Topology) -> Result<(), GraphError> {
    let graph = || parts.name.clone();
    let edges =
        parts.edges.iter().map(|(from, to)| (from, to, format!("the edge `{from}` to `{to}`")));
    let joins = parts.joins.iter().flat_map(|join| {
        let place = format!("the edge from `{}` to `{}`", join.sources.join("`, `"), join.target);
        join.sources.iter().map(move |from| (from, &join.target, place.clone()))
    });
    if let Some(join) = parts.joins.iter().find(|join| join.sources.is_empty()) {
        return Err(GraphError::EmptyJoin { graph: graph(), node: join.target.clone() });
    }
    for (from, to, place) in edges.chain(joins) {
        if from == END {
            return Err(GraphError::FromEnd { graph: graph(), place });
        }
        if to == START {
            return Err(GraphError::ToStart { graph: graph(), place });
        }
        let unknown = [(from, START), (to, END)]
            .into_iter()
            .find(|(node, but)| *node != but && !topology.has(node));
        if let Some((node, _)) = unknown {
            let node = node.clone();
            return Err(GraphError::UnknownNode { graph: graph(), place, node });
        }
    }
    if let Some(join) = parts.joins.iter().find(|join| join.sources.iter().any(|it| it == START)) {
        let place = format!("the edge from `{}` to `{}`", join.sources.join("`, `"), join.target);
        return Err(GraphError::JoinFromStart { graph: graph(), place });
    }
    let leaves_start = topology.edges.contains_key(START) || parts.branches.contains_key(START);
    if leaves_start { Ok(()) } else { Err(GraphError::NoEntry { graph: graph() }) }
}

fn check_branches(parts: &Parts, topology: &Topology) -> Result<(), GraphError> {
    let graph = || parts.name.clone();
    for (from, branches) in &parts.branches {
        let place = format!("a conditional edge from `{from}`");
        if from == END {
            return Err(GraphError::FromEnd { graph: graph(), place });
        }
        if from != START && !topology.has(from) {
            return Err(GraphError::UnknownNode { graph: graph(), place, node: from.clone() });
        }
        let mut named = BTreeSet::new();
        for branch in branches {
            if let Some(name) = branch.name.as_ref().filter(|name| !named.insert(*name)) {
                let (node, branch) = (from.clone(), name.clone());
                return Err(GraphError::DuplicateBranch { graph: graph(), node, branch });
            }
            if branch.needs_map && branch.map.is_none() {
                return Err(GraphError::NoMap { graph: graph(), node: from.clone() });
            }
            let ends = branch.map.iter().flatten().map(|(_, node)| node);
            for node in ends.chain(branch.ends.iter().flatten()) {
                if node == START {
                    return Err(GraphError::ToStart { graph: graph(), place });
                }
                if node != END && !topology.has(node) {
                    let node = node.clone();
                    return Err(GraphError::UnknownNode { graph: graph(), place, node });
                }
            }
        }
    }
    Ok(())
}

/// Looks whether the types of inputs, updates and results of graphs that are nodes are those of the
/// state.
fn check_types(parts: &Parts, schema: &Schema) -> Result<(), GraphError> {
    for (field, reducer) in schema.fields() {
        if let Some(error) = reducer.invalid() {
            let (graph, field, reason) = (parts.name.clone(), field.to_owned(), error.to_string());
            return Err(GraphError::InitialValue { graph, field, reason });
        }
    }
    if let Some(Names::Fields(fields)) = &parts.input {
        check_writes(parts, schema, "the input", fields)?;
    }
    for (name, node) in &parts.nodes {
        let place = format!("the update of node `{name}`");
        check_writes(parts, schema, &place, node.writes.iter().flatten())?;
        let place = format!("the update of the error handler of node `{name}`");
        check_writes(parts, schema, &place, node.handler_writes.iter().flatten())?;
        if let Kind::Graph(graph) = &node.work {
            let place = format!("the result of node `{name}`");
            for field in graph.output.iter().filter(|field| schema.is_written(field)) {
                check_type(parts, schema, &place, field, graph.schema.ty(field))?;
            }
        }
    }
    Ok(())
}

fn check_writes<'a>(
    parts: &Parts,
    schema: &Schema,
    place: &str,
    fields: impl IntoIterator<Item = &'a Field>,
) -> Result<(), GraphError> {
    for field in fields {
        if schema.reducer(field.name()).is_none() {
            let (graph, place) = (parts.name.clone(), place.to_owned());
            let field = field.name().to_owned();
            return Err(GraphError::UnknownField { graph, place, field });
        }
        check_type(parts, schema, place, field.name(), field.ty())?;
    }
    Ok(())
}

fn check_type(
    parts: &Parts,
    schema: &Schema,
    place: &str,
    field: &str,
    given: Option<&FieldType>,
) -> Result<(), GraphError> {
    match (schema.ty(field), given) {
        (Some(expected), Some(given)) if !expected.may_take(given) => Err(GraphError::FieldType {
            graph: parts.name.clone(),
            place: place.to_owned(),
            field: field.to_owned(),
            given: given.name(),
            expected: expected.name(),
        }),
        _ => Ok(()),
    }
}

/// Looks whether what the nodes say of their commands names nodes.
fn check_ends(parts: &Parts, topology: &Topology) -> Result<(), GraphError> {
    for (name, node) in &parts.nodes {
        let unknown = node.ends.iter().find(|end| *end != END && !topology.has(end));
        if let Some(node) = unknown.cloned() {
            let (graph, place) = (parts.name.clone(), format!("`ends` of node `{name}`"));
            return Err(GraphError::UnknownNode { graph, place, node });
        }
    }
    Ok(())
}

fn check_breakpoints(parts: &Parts, topology: &Topology) -> Result<(), GraphError> {
    let names = parts.interrupt_before.iter().chain(&parts.interrupt_after);
    match names.into_iter().find(|node| *node != "*" && !topology.has(node)) {
        None => Ok(()),
        Some(node) => Err(GraphError::UnknownNode {
            graph: parts.name.clone(),
            place: "a breakpoint".to_owned(),
            node: node.clone(),
        }),
    }
}

fn compile_node(
    parts: &Parts,
    name: &str,
    node: &Node,
    around: Around,
) -> Result<CompiledNode, GraphError> {
    let fields = around.fields.clone();
    let branches = parts.branches.get(name).cloned().unwrap_or_default();
    let paths_see = (!branches.is_empty()).then(|| {
        let of_branch = |branch: &Branch| match &branch.fields {
            Some(own) => names(own, |_| true),
            None => fields.clone(),
        };
        branches.iter().flat_map(of_branch).collect()
    });
    let is_graph = matches!(node.work, Kind::Graph(_));
    let handle = node.on_error.as_ref().or(parts.defaults.on_error.as_ref().filter(|_| !is_graph));
    let untracked: Vec<_> = around.schema.untracked_fields().map(str::to_owned).collect();
    let shown = |fields: Option<Vec<String>>, is_handler: bool| {
        let handled = handle.is_some() && !is_handler;
        Arc::new(ShownNode {
            name: name.to_owned(),
            fields,
            handled,
            is_handler,
            untracked: untracked.clone(),
        })
    };
    let work = match &node.work {
        Kind::Graph(graph) => {
            let others = [(node.on_error.is_some(), "error handler"), (node.is_inline, "`inline`")];
            let other = others.into_iter().find(|(is_set, _)| *is_set).map(|(_, name)| name);
            if let Some(option) = node.set.any().or(other) {
                let (graph, node) = (parts.name.clone(), name.to_owned());
                return Err(GraphError::OptionOfSubgraph { graph, node, option });
            }
            let written = around.schema.fields().filter(|(_, reducer)| !reducer.is_managed());
            let counts = written.map(|(field, _)| field.to_owned()).collect();
            let kind = CompiledKind::Graph(Arc::clone(graph));
            return Ok(CompiledNode { kind, fields, paths_see, shown: shown(Some(counts), false) });
        }
        Kind::Function(work) => Arc::clone(work),
    };
    if let Some(option) = node.set.any().filter(|_| node.is_inline) {
        let (graph, node) = (parts.name.clone(), name.to_owned());
        return Err(GraphError::OptionOfInline { graph, node, option });
    }
    let task = format!("{}:{name}", parts.name);
    let defaults = &parts.defaults;
    let mut options = node.options.clone();
    for (is_own, default) in [
        (node.set.retry, &defaults.retry),
        (node.set.timeout, &defaults.timeout),
        (node.set.cache, &defaults.cache),
    ] {
        options = match default {
            Some(set) if !is_own && !node.is_inline => set(options),
            Some(_) | None => options,
        };
    }
    let on_error = handle.map(|handle| {
        let code = Arc::new(HandlerCode {
            name: name.to_owned(),
            handle: Arc::clone(handle),
            around: Around { is_checked: node.handler_writes.is_some(), ..around.clone() },
        });
        let start = move |input: &_| run::start_handler(&code, input);
        let def = options.with_raw(format!("{task}:on_error"), start).uncached();
        let def = TaskDef::from(def);
        let options = def.shared_options();
        (def, options, shown(None, true))
    });
    let work = Arc::new(NodeCode { name: name.to_owned(), work, branches, around });
    let def = options.with_raw(task, move |input| run::start(&work, input));
    let def = TaskDef::from(def);
    let def = if node.is_inline { def.inline() } else { def };
    let task = NodeTask {
        options: def.shared_options(),
        def,
        cache_key: node.cache_key.clone(),
        on_error,
    };
    let kind = CompiledKind::Task(Box::new(task));
    Ok(CompiledNode { kind, fields, paths_see, shown: shown(None, false) })
}
