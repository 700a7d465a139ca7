use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::policy::{Cache, History};
use rethread_sdk::{Error, IntoRetries, Task, Value};

use crate::branch::{Branch, IntoBranch};
use crate::command::IntoNodeOutput;
use crate::error::GraphError;
use crate::graph::Graph;
use crate::node::{Handle, IntoNode, Node, NodeError};
use crate::node_fn::handle;
use crate::schema::Field;
use crate::state::{GraphState, NodeInput, State};
use crate::topology::Join;
use crate::validate::compile;
use crate::values::Values;

/// Builds a graph: nodes that share a state, and the edges between them.
///
/// `S` is its state, `I` what it takes as input, `O` its result. The input is an update of the
/// state and the result the whole state, unless [`StateGraph::input`] and [`StateGraph::output`]
/// say something else.
///
/// ```
/// # extern crate rethread_graph as rethread;
/// use rethread_graph::{END, START, State, StateGraph};
/// use rethread_sdk::Result;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Default, Serialize, Deserialize, State)]
/// #[serde(default)]
/// struct Essay {
///     topic: String,
///     #[state(append)]
///     drafts: Vec<String>,
///     is_good: bool,
/// }
///
/// async fn write(state: Essay) -> Result<EssayUpdate> {
///     Ok(EssayUpdate::new().drafts([format!("An essay about {}", state.topic)]))
/// }
///
/// async fn review(state: Essay) -> Result<EssayUpdate> {
///     Ok(EssayUpdate::new().is_good(state.drafts.len() > 1))
/// }
///
/// let graph = StateGraph::<Essay>::new("essay")
///     .add_node("write", write)
///     .add_node("review", review)
///     .add_edge(START, "write")
///     .add_edge("write", "review")
///     .add_conditional_edges("review", |state: Essay| if state.is_good { END } else { "write" })
///     .compile()?;
/// assert_eq!(graph.name(), "essay");
/// # Ok::<(), rethread_graph::GraphError>(())
/// ```
///
/// A graph whose fields are known at run time only is built with [`StateGraph::with_fields`].
#[must_use = "a graph is one once it is compiled"]
pub struct StateGraph<S: GraphState, I = <S as GraphState>::Input, O = S> {
    pub(crate) parts: Parts,
    types: PhantomData<fn(S, I) -> O>,
}

/// What was added to a graph, without types.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) state: Vec<Field>,
    /// Fields that only nodes see which say so.
    pub(crate) private: Vec<Field>,
    pub(crate) input: Option<Names>,
    pub(crate) output: Option<Names>,
    pub(crate) nodes: Vec<(String, Node)>,
    pub(crate) edges: Vec<(String, String)>,
    pub(crate) joins: Vec<Join>,
    pub(crate) branches: BTreeMap<String, Vec<Branch>>,
    pub(crate) interrupt_before: Vec<String>,
    pub(crate) interrupt_after: Vec<String>,
    pub(crate) history: History,
    pub(crate) defaults: Defaults,
}

/// Options of nodes that set none themselves.
#[derive(Clone, Default)]
pub(crate) struct Defaults {
    pub(crate) retry: Option<Arc<SetOption>>,
    pub(crate) timeout: Option<Arc<SetOption>>,
    pub(crate) cache: Option<Arc<SetOption>>,
    pub(crate) on_error: Option<Arc<Handle>>,
}

type SetOption = dyn Fn(Task<(), ()>) -> Task<(), ()> + Send + Sync;

impl fmt::Debug for Defaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Defaults").finish_non_exhaustive()
    }
}

/// Fields of an input or an output.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    /// With reducers, by a type.
    Fields(Vec<Field>),
    /// By name, which the state has.
    Names(Vec<String>),
}

impl<S: State + GraphState> StateGraph<S> {
    /// A graph of this name without nodes.
    ///
    /// The name is recorded with each run: renaming the graph, or one of its nodes, orphans runs
    /// in progress.
    pub fn new(name: impl Into<String>) -> Self {
        Self::of(Parts { name: name.into(), state: S::fields(), ..Parts::default() })
    }
}

impl StateGraph<Values> {
    /// A graph whose fields are known at run time only. Its nodes take [`Values`], JSON, or
    /// states of their own.
    ///
    /// ```
    /// # extern crate rethread_graph as rethread;
    /// use rethread_graph::{END, Field, START, StateGraph};
    /// use rethread_sdk::{Error, json};
    /// use serde_json::Value;
    ///
    /// let graph = StateGraph::with_fields("count", [Field::add("total")])
    ///     .add_node("one", |_: Value| async { Ok::<_, Error>(json!({ "total": 1 })) })
    ///     .add_edge(START, "one")
    ///     .add_edge("one", END)
    ///     .compile()?;
    /// # let _ = graph;
    /// # Ok::<(), rethread_graph::GraphError>(())
    /// ```
    pub fn with_fields(name: impl Into<String>, fields: impl IntoIterator<Item = Field>) -> Self {
        let state = fields.into_iter().collect();
        Self::of(Parts { name: name.into(), state, ..Parts::default() })
    }
}

impl<S: GraphState, I, O> StateGraph<S, I, O> {
    fn of(parts: Parts) -> Self {
        Self { parts, types: PhantomData }
    }

    /// Sets what it takes: a part of the state, or fields beside it. What an input has besides
    /// these fields is ignored.
    pub fn input<T: State>(mut self) -> StateGraph<S, T, O> {
        self.parts.input = Some(Names::Fields(T::fields()));
        StateGraph::of(self.parts)
    }

    /// Sets its result: a part of the state. Only these fields are returned.
    pub fn output<T: State>(mut self) -> StateGraph<S, I, T> {
        self.parts.output = Some(Names::Fields(T::fields()));
        StateGraph::of(self.parts)
    }

    /// Sets the fields of the input by name.
    pub fn input_fields<N: Into<String>>(mut self, fields: impl IntoIterator<Item = N>) -> Self {
        self.parts.input = Some(Names::Names(fields.into_iter().map(Into::into).collect()));
        self
    }

    /// Sets the fields of the result by name.
    pub fn output_fields<N: Into<String>>(mut self, fields: impl IntoIterator<Item = N>) -> Self {
        self.parts.output = Some(Names::Names(fields.into_iter().map(Into::into).collect()));
        self
    }

    /// Adds fields that are not part of the state: only nodes see them that name them. Types of
    /// nodes add theirs by themselves.
    pub fn private_fields(mut self, fields: impl IntoIterator<Item = Field>) -> Self {
        self.parts.private.extend(fields);
        self
    }

    /// Adds a node: an async function of the state to an update of it, a [`Node`] with options, or
    /// a graph.
    pub fn add_node<A>(mut self, name: impl Into<String>, node: impl IntoNode<A>) -> Self {
        self.parts.nodes.push((name.into(), node.into_node()));
        self
    }

    /// Adds an edge: the second node runs in the step after the first one. From
    /// [`START`](crate::START), to [`END`](crate::END).
    ///
    /// From several nodes it is a *join*: the node runs once all of them have run since it last
    /// did, in whatever steps. Two edges instead run it each time one of them has.
    pub fn add_edge(mut self, from: impl IntoSources, to: impl Into<String>) -> Self {
        match from.into_sources() {
            Sources::One(from) => self.parts.edges.push((from, to.into())),
            Sources::All(sources) => self.parts.joins.push(Join { sources, target: to.into() }),
        }
        self
    }

    /// Adds edges from each of these nodes to the next one.
    pub fn add_sequence<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        let nodes: Vec<String> = nodes.into_iter().map(Into::into).collect();
        let pairs = nodes.windows(2).map(|pair| (pair[0].clone(), pair[1].clone()));
        self.parts.edges.extend(pairs);
        self
    }

    /// Adds a conditional edge: a function of the state says which nodes run next. It counts in
    /// addition to the other edges of the node. See [`Branch`].
    pub fn add_conditional_edges<M>(
        mut self,
        from: impl Into<String>,
        branch: impl IntoBranch<M>,
    ) -> Self {
        let branch = branch.into_branch();
        self.parts.branches.entry(from.into()).or_default().push(branch);
        self
    }

    /// Ends each run before a step of one of these nodes; `*` stands for all. Going on continues.
    pub fn interrupt_before<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.parts.interrupt_before.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// Ends each run after a step of one of these nodes, if something comes after it.
    pub fn interrupt_after<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.parts.interrupt_after.extend(nodes.into_iter().map(Into::into));
        self
    }

    /// Sets when failed attempts are repeated, of nodes that do not say it. Graphs that are nodes
    /// do not inherit it; so it is with the other defaults.
    pub fn default_retry(
        mut self,
        retry: impl IntoRetries + Clone + Send + Sync + 'static,
    ) -> Self {
        self.parts.defaults.retry = Some(Arc::new(move |node| node.retry(retry.clone())));
        self
    }

    /// Sets the longest time one attempt may take, of nodes that set no time.
    pub fn default_timeout(mut self, timeout: Duration) -> Self {
        self.parts.defaults.timeout = Some(Arc::new(move |node| node.timeout(timeout)));
        self
    }

    /// Sets that what nodes come to is kept and reused, of nodes that do not say it.
    pub fn default_cache(mut self, cache: Cache) -> Self {
        self.parts.defaults.cache = Some(Arc::new(move |node| node.cache(cache)));
        self
    }

    /// Sets what runs instead when a node has failed for good that has no handler of its own; as
    /// [`Node::on_error`].
    pub fn default_on_error<A, F, Fut, R, E>(mut self, handler: F) -> Self
    where
        A: NodeInput,
        F: Fn(A, NodeError) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        R: IntoNodeOutput,
        E: Into<Error>,
    {
        self.parts.defaults.on_error = Some(handle(handler));
        self
    }

    /// Sets what it keeps of its runs as part of another graph, or called by one or by an
    /// entrypoint. At the root of a thread it makes no difference.
    pub fn history(mut self, history: History) -> Self {
        self.parts.history = history;
        self
    }

    /// Checks the graph.
    ///
    /// # Errors
    /// The first thing that is wrong with it. Where commands, and paths that do not say it, lead
    /// is found when they do: an error of the node.
    pub fn compile(self) -> Result<Graph<I, O>, GraphError>
    where
        I: Value,
        O: Value,
    {
        compile(&self.parts).map(Graph::new)
    }
}

/// Where an edge begins: a node, or several that are waited for.
pub trait IntoSources {
    /// The sources.
    fn into_sources(self) -> Sources;
}

/// The sources of an edge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sources {
    /// One node.
    One(String),
    /// All of these nodes.
    All(Vec<String>),
}

impl IntoSources for &str {
    fn into_sources(self) -> Sources {
        Sources::One(self.to_owned())
    }
}

impl IntoSources for String {
    fn into_sources(self) -> Sources {
        Sources::One(self)
    }
}

impl<N: Into<String>, const LEN: usize> IntoSources for [N; LEN] {
    fn into_sources(self) -> Sources {
        Sources::All(self.into_iter().map(Into::into).collect())
    }
}

impl<N: Into<String>> IntoSources for Vec<N> {
    fn into_sources(self) -> Sources {
        Sources::All(self.into_iter().map(Into::into).collect())
    }
}

impl<S: GraphState, I, O> fmt::Debug for StateGraph<S, I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.parts.nodes.iter().map(|(name, _)| name);
        f.debug_struct("StateGraph")
            .field("name", &self.parts.name)
            .field("nodes", &nodes.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
