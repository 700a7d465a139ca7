use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use rethread_core::canonical::canonical;
use rethread_core::graph::Node as ShownNode;
use rethread_core::ids::{CallId, CallKind};
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::policy::{History, TaskOptions};
use rethread_sdk::TaskDef;

use crate::branch::Branch;
use crate::node::CacheKey;
use crate::schema::Schema;
use crate::topology::Topology;
use crate::values::Values;

/// A graph that was found well formed: what steps are played by.
pub(crate) struct Compiled {
    pub(crate) name: Arc<str>,
    pub(crate) schema: Arc<Schema>,
    pub(crate) topology: Arc<Topology>,
    pub(crate) nodes: BTreeMap<String, CompiledNode>,
    /// Conditional edges, by where they start.
    pub(crate) branches: BTreeMap<String, Vec<Branch>>,
    /// Fields that nodes and paths see which say nothing else.
    pub(crate) state: BTreeSet<String>,
    /// Fields that an input may have.
    pub(crate) input: BTreeSet<String>,
    /// Fields of a result.
    pub(crate) output: BTreeSet<String>,
    /// Whether results have fewer fields than the state shows.
    pub(crate) has_own_output: bool,
    pub(crate) interrupt_before: Vec<String>,
    pub(crate) interrupt_after: Vec<String>,
    pub(crate) history: History,
    /// For drawings: where commands of a node may go.
    pub(crate) ends: BTreeMap<String, Vec<String>>,
}

/// A node as the body of the graph calls it.
pub(crate) struct CompiledNode {
    pub(crate) kind: CompiledKind,
    /// The fields that it sees.
    pub(crate) fields: BTreeSet<String>,
    /// The fields that its paths see, if it has some.
    pub(crate) paths_see: Option<BTreeSet<String>>,
    /// How its calls are shown.
    pub(crate) shown: Arc<ShownNode>,
}

pub(crate) enum CompiledKind {
    Task(Box<NodeTask>),
    Graph(Arc<Compiled>),
}

/// A node that runs on workers.
pub(crate) struct NodeTask {
    pub(crate) def: TaskDef,
    pub(crate) options: Arc<TaskOptions>,
    pub(crate) cache_key: Option<Arc<CacheKey>>,
    /// The task that handles its errors, and how its calls are shown.
    pub(crate) on_error: Option<(TaskDef, Arc<TaskOptions>, Arc<ShownNode>)>,
}

impl Compiled {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn branches_from<'a>(&'a self, node: &str) -> impl Iterator<Item = &'a Branch> {
        self.branches.get(node).into_iter().flatten()
    }

    /// What the graph gives who called it.
    pub(crate) fn result(&self, values: &Values) -> Payload {
        values.filtered(|field| self.output.contains(field)).to_payload()
    }

    /// What states and checkpoints show.
    pub(crate) fn shown(&self, values: &Values) -> Payload {
        self.streamed(&self.schema.saved(values))
    }

    /// What streams show: the fields that live for the run, too.
    pub(crate) fn streamed(&self, values: &Values) -> Payload {
        values.filtered(|field| self.schema.is_written(field)).to_payload()
    }

    /// The graphs that its nodes are.
    pub(crate) fn subgraphs(&self) -> impl Iterator<Item = (&str, &Arc<Compiled>)> {
        self.nodes.iter().filter_map(|(name, node)| match &node.kind {
            CompiledKind::Graph(graph) => Some((name.as_str(), graph)),
            CompiledKind::Task(_) => None,
        })
    }

    /// All tasks of its nodes.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = &TaskDef> {
        self.nodes.values().flat_map(|node| match &node.kind {
            CompiledKind::Graph(_) => Vec::new(),
            CompiledKind::Task(task) => {
                let handler = task.on_error.as_ref().map(|(def, ..)| def);
                std::iter::once(&task.def).chain(handler).collect()
            }
        })
    }
}

impl NodeTask {
    /// The key of what it sees in the cache: by default the values alone, without what only its
    /// paths see.
    ///
    /// # Errors
    /// When the function that makes the key does not take what the node sees.
    pub(crate) fn cache_key(
        &self,
        seen: &Payload,
        node: &str,
    ) -> Result<Option<Arc<str>>, PayloadError> {
        if self.options.cache.is_none() {
            return Ok(None);
        }
        let own = self.cache_key.as_ref().map(|key| key(seen, node)).transpose()?;
        let key = own.unwrap_or_else(|| {
            let version = self.options.version.as_deref().unwrap_or_default();
            let content = CallId::content(
                CallId::ANYWHERE,
                CallKind::Task,
                version,
                &canonical(seen.as_bytes()),
            );
            format!("{content:032x}")
        });
        Ok(Some(Arc::from(key)))
    }
}

impl fmt::Debug for Compiled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Compiled")
            .field("name", &self.name)
            .field("nodes", &self.nodes.keys())
            .finish_non_exhaustive()
    }
}
