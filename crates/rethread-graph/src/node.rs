use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::failure::Failure;
use rethread_core::graph::NodeOutput;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::policy::Cache;
use rethread_sdk::{Error, IntoRetries, Task};
use serde::{Deserialize, Serialize};

use crate::command::IntoNodeOutput;
use crate::compiled::Compiled;
use crate::graph::Graph;
use crate::node_fn::{NodeFn, handle};
use crate::schema::Field;
use crate::state::NodeInput;

/// One execution of a node's function.
pub(crate) type Running = Pin<Box<dyn Future<Output = Result<NodeOutput, Failure>> + Send>>;

/// A node's function without its types. The name of the node is for errors.
pub(crate) type Work = dyn Fn(&Payload, &str) -> Result<Running, Failure> + Send + Sync;

/// Begins a handler of errors, without its types.
pub(crate) type Handle =
    dyn Fn(&Payload, NodeError, &str) -> Result<Running, Failure> + Send + Sync;

/// Makes the cache key of what a node sees; its name is for errors.
pub(crate) type CacheKey = dyn Fn(&Payload, &str) -> Result<String, PayloadError> + Send + Sync;

/// A node of a graph with what is asked of the engine for it.
///
/// A function alone is a node too; this is where options are set:
///
/// ```
/// # extern crate rethread_graph as rethread;
/// use std::time::Duration;
///
/// use rethread_graph::{Command, Node, NodeError, State};
/// use rethread_sdk::{Result, Retry};
/// # use serde::{Deserialize, Serialize};
///
/// # #[derive(Debug, Default, Serialize, Deserialize, State)]
/// # #[serde(default)]
/// # struct Essay { topic: String }
/// async fn write(state: Essay) -> Result<EssayUpdate> {
///     # let _ = state;
///     Ok(EssayUpdate::new())
/// }
///
/// async fn give_up(_: Essay, error: NodeError) -> Result<Command> {
///     Ok(Command::goto(if error.error.is_timeout() { "shorten" } else { "apologize" }))
/// }
///
/// let node = Node::new(write)
///     .retry(Retry::attempts(3))
///     .timeout(Duration::from_secs(30))
///     .on_error(give_up)
///     .ends(["shorten", "apologize"]);
/// # let _ = node;
/// ```
#[derive(Clone)]
#[must_use = "a node is one once it is added to a graph"]
pub struct Node {
    pub(crate) work: Kind,
    /// The fields that it sees; none: those of the state.
    pub(crate) fields: Option<Vec<Field>>,
    /// Names only, if those are said at run time.
    pub(crate) field_names: Option<Vec<String>>,
    /// Carries the options; its own code is never called.
    pub(crate) options: Task<(), ()>,
    pub(crate) set: SetOptions,
    /// The fields that it may write, if its type tells.
    pub(crate) writes: Option<Vec<Field>>,
    /// The same of what handles its errors.
    pub(crate) handler_writes: Option<Vec<Field>>,
    pub(crate) is_inline: bool,
    pub(crate) cache_key: Option<Arc<CacheKey>>,
    pub(crate) on_error: Option<Arc<Handle>>,
    pub(crate) is_deferred: bool,
    pub(crate) ends: Vec<String>,
}

/// Which options of workers were set.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct SetOptions {
    pub(crate) queue: bool,
    pub(crate) retry: bool,
    pub(crate) timeout: bool,
    pub(crate) cache: bool,
    pub(crate) version: bool,
}

impl SetOptions {
    /// The name of one that was set.
    pub(crate) fn any(self) -> Option<&'static str> {
        let Self { queue, retry, timeout, cache, version } = self;
        let all = [
            (queue, "queue"),
            (retry, "retry"),
            (timeout, "timeout"),
            (cache, "cache"),
            (version, "version"),
        ];
        all.into_iter().find(|(is_set, _)| *is_set).map(|(_, name)| name)
    }
}

#[derive(Clone)]
pub(crate) enum Kind {
    /// Runs on a worker.
    Function(Arc<Work>),
    /// Another graph.
    Graph(Arc<Compiled>),
}

impl Node {
    /// A node that runs a function: see [`NodeFn`].
    pub fn new<A>(function: impl NodeFn<A>) -> Self {
        function.into_node()
    }

    /// A node that is a graph: it takes the state of this graph as its input, and its result is
    /// the update. A field with a reducer that both have gets what went in once more; give the
    /// graph an output of its own, or call it inside a function, where that is not wanted.
    pub fn graph<I, O>(graph: &Graph<I, O>) -> Self {
        Self::of(Kind::Graph(Arc::clone(graph.compiled())), None)
    }

    pub(crate) fn of(work: Kind, fields: Option<Vec<Field>>) -> Self {
        let nothing = |_: &Payload| -> Result<_, PayloadError> {
            Ok(Box::pin(std::future::ready(Ok(Payload::NULL))) as rethread_sdk::TaskFuture)
        };
        Self {
            work,
            fields,
            field_names: None,
            options: Task::from_raw("node", nothing),
            set: SetOptions::default(),
            writes: None,
            handler_writes: None,
            is_inline: false,
            cache_key: None,
            on_error: None,
            is_deferred: false,
            ends: Vec::new(),
        }
    }

    /// Sets the fields that it sees, by name.
    pub fn sees<N: Into<String>>(mut self, fields: impl IntoIterator<Item = N>) -> Self {
        self.field_names = Some(fields.into_iter().map(Into::into).collect());
        self
    }

    /// Sets the queue of its workers, as for a task. A graph has none.
    pub fn queue(mut self, queue: impl AsRef<str>) -> Self {
        self.options = self.options.queue(queue);
        self.set.queue = true;
        self
    }

    /// Sets when failed attempts are repeated, as for a task.
    pub fn retry(mut self, retry: impl IntoRetries) -> Self {
        self.options = self.options.retry(retry);
        self.set.retry = true;
        self
    }

    /// Sets the longest time one attempt may take.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.options = self.options.timeout(timeout);
        self.set.timeout = true;
        self
    }

    /// Sets the longest time one attempt may be silent.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.options = self.options.idle_timeout(timeout);
        self.set.timeout = true;
        self
    }

    /// Sets that what it came to, updates and destinations, is kept and reused where it sees
    /// equal values, on all threads.
    ///
    /// It sees all fields of the state: one that grows with each run makes all keys differ. See
    /// [`Node::cache_key`] and [`Node::sees`].
    pub fn cache(mut self, cache: Cache) -> Self {
        self.options = self.options.cache(cache);
        self.set.cache = true;
        self
    }

    /// Sets what equal states are: those that give the same text.
    pub fn cache_key<I: NodeInput>(
        mut self,
        key: impl Fn(&I) -> String + Send + Sync + 'static,
    ) -> Self {
        self.cache_key =
            Some(Arc::new(move |state: &Payload, node: &str| Ok(key(&I::read(state, node)?))));
        self.set.cache = true;
        self
    }

    /// Sets the version of the code: a new one does not find what the cache has of the old one.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.options = self.options.version(version);
        self.set.version = true;
        self
    }

    /// Has it run in the coordinator, as a part of the step, instead of being ordered from a worker:
    /// for small functions that only compute an update or where to go.
    ///
    /// Its result is recorded and shown as that of any node, and no replay runs it again; after a
    /// crash it may run once more. All threads of the coordinator wait while it runs. A function
    /// that calls, asks or waits for something, or writes to the stream, fails with an error that
    /// says so. It is not retried, timed or cached, so `compile` refuses options for that.
    pub fn inline(mut self) -> Self {
        self.is_inline = true;
        self
    }

    /// Sets what runs instead when the node has failed for good: an async function of the state
    /// and a [`NodeError`].
    ///
    /// What it returns counts as what the node returned, but the edges of the node are not
    /// followed: it goes on with a [`Command`](crate::Command). It shares the node's retries and
    /// timeouts, and its own error fails the run.
    pub fn on_error<I, F, Fut, R, E>(mut self, handler: F) -> Self
    where
        I: NodeInput,
        F: Fn(I, NodeError) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        R: IntoNodeOutput,
        E: Into<Error>,
    {
        self.on_error = Some(handle(handler));
        self.handler_writes = R::fields();
        self
    }

    /// Has it wait, once something leads to it, until no other node is left to run. Sent tasks do
    /// not keep it waiting.
    pub fn defer(mut self) -> Self {
        self.is_deferred = true;
        self
    }

    /// Says where its commands may go, for drawings.
    pub fn ends<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.ends = nodes.into_iter().map(Into::into).collect();
        self
    }
}

/// Which node failed, and how: what an error handler is told.
#[derive(Debug)]
pub struct NodeError {
    /// Name of the node.
    pub node: String,
    /// Its last error.
    pub error: Error,
}

/// How it travels to the worker of the handler.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct NodeFailure {
    pub(crate) node: String,
    pub(crate) failure: Failure,
}

impl From<NodeFailure> for NodeError {
    fn from(NodeFailure { node, failure }: NodeFailure) -> Self {
        Self { node, error: Error::from_failure(failure) }
    }
}

/// What can be a node: a [`Node`], a function that [`NodeFn`] describes, or a graph.
pub trait IntoNode<A> {
    /// The node.
    fn into_node(self) -> Node;
}

impl IntoNode<()> for Node {
    fn into_node(self) -> Node {
        self
    }
}

impl<A, F: NodeFn<A>> IntoNode<(A,)> for F {
    fn into_node(self) -> Node {
        NodeFn::into_node(self)
    }
}

/// The form of a graph as a node.
#[derive(Debug)]
pub enum Subgraph {}

impl<I, O> IntoNode<Subgraph> for &Graph<I, O> {
    fn into_node(self) -> Node {
        Node::graph(self)
    }
}

impl<I, O> IntoNode<Subgraph> for Graph<I, O> {
    fn into_node(self) -> Node {
        Node::graph(&self)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match &self.work {
            Kind::Function(_) => "function",
            Kind::Graph(graph) => graph.name(),
        };
        f.debug_struct("Node").field("runs", &what).finish_non_exhaustive()
    }
}
