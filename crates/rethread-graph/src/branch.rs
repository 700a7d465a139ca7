use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rethread_core::failure::{Failure, kind};
use rethread_core::graph::Destination;
use rethread_core::payload::Payload;
use rethread_core::replay::{NotInPlace, Scope, in_place};

use crate::route::{IntoRoutes, Way};
use crate::schema::Field;
use crate::state::NodeInput;
use crate::topology::Topology;
use crate::{END, START};

type Ways = Pin<Box<dyn Future<Output = Result<Vec<Way>, Failure>> + Send>>;

type Path = dyn Fn(&Payload, &str) -> Result<Ways, Failure> + Send + Sync;

/// A conditional edge: a path, which looks at the state that its node left and says where to go,
/// and what is known of it.
///
/// ```
/// # extern crate rethread_graph as rethread;
/// use rethread_graph::{Branch, END, State};
/// # use serde::{Deserialize, Serialize};
///
/// # #[derive(Debug, Default, Serialize, Deserialize, State)]
/// # #[serde(default)]
/// # struct Review { is_good: bool }
/// let branch = Branch::new(|state: Review| state.is_good).map([("true", END), ("false", "write")]);
/// # let _ = branch;
/// ```
#[derive(Clone)]
pub struct Branch {
    path: Arc<Path>,
    /// Fields of the path's own input type.
    pub(crate) fields: Option<Vec<Field>>,
    /// From the text of a result to a node.
    pub(crate) map: Option<Vec<(String, String)>>,
    /// Whether its results name no nodes.
    pub(crate) needs_map: bool,
    /// Where it may lead, if that is said and no map says it.
    pub(crate) ends: Option<Vec<String>>,
    pub(crate) name: Option<String>,
}

impl Branch {
    /// An edge whose path is a function of a state.
    ///
    /// It is called where its node runs, once the node has ended, and sees the state with the
    /// update of this node and of no other. Paths from the start, and from nodes that are graphs or
    /// run inline, are called in the coordinator, and again on each replay: they may only look at
    /// the state. One that calls, asks or waits for something there is an error.
    pub fn new<M>(path: impl PathFn<M>) -> Self {
        path.into_branch()
    }

    /// Sets what results lead to: each is looked up by its text. Sends are not.
    #[must_use]
    pub fn map<K: ToString, N: Into<String>>(
        mut self,
        map: impl IntoIterator<Item = (K, N)>,
    ) -> Self {
        let entries = map.into_iter().map(|(key, node)| (key.to_string(), node.into()));
        self.map = Some(entries.collect());
        self
    }

    /// Sets the nodes that results may name; others are refused.
    #[must_use]
    pub fn to<N: Into<String>>(self, nodes: impl IntoIterator<Item = N>) -> Self {
        let nodes = nodes.into_iter().map(Into::into);
        let map: Vec<(String, String)> = nodes.map(|node: String| (node.clone(), node)).collect();
        self.map(map)
    }

    /// Says where it may lead, for drawings only. Without it, a path whose type and map do not
    /// tell is drawn as leading to every node.
    #[must_use]
    pub fn drawn_to<N: Into<String>>(mut self, nodes: impl IntoIterator<Item = N>) -> Self {
        self.ends = Some(nodes.into_iter().map(Into::into).collect());
        self
    }

    /// Names it; two conditional edges of a node have different names.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Asks the path. `node` is where it starts.
    pub(crate) async fn ask(
        &self,
        state: &Payload,
        node: &str,
        topology: &Topology,
    ) -> Result<Vec<Destination>, Failure> {
        let ways = (self.path)(state, node)?.await?;
        self.destinations(ways, node, topology)
    }

    /// Asks a path where it may only look at the state: in the coordinator, and for updates from
    /// outside.
    pub(crate) fn ask_now(
        &self,
        state: &Payload,
        node: &str,
        topology: &Topology,
    ) -> Result<Vec<Destination>, Failure> {
        // A path that is no async function runs as a part of this too.
        let path = async { (self.path)(state, node)?.await };
        let mut path = std::pin::pin!(path);
        let ways = match Scope::current() {
            Ok(around) => in_place(&Scope::ungated(around.info().clone()), path),
            // An update from outside: what it calls finds no run.
            Err(_) => match path.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(ways) => Ok(ways),
                Poll::Pending => Err(NotInPlace::Waits),
            },
        };
        let ways = ways.map_err(|not| {
            let message = format!(
                "the path of a conditional edge from `{node}` {not} where it may only look at the \
                 state (from the start, from graphs, and in updates from outside); do that in a \
                 node before it"
            );
            Failure::new(kind::INVALID_GRAPH, message).final_()
        })?;
        self.destinations(ways?, node, topology)
    }

    fn destinations(
        &self,
        ways: Vec<Way>,
        node: &str,
        topology: &Topology,
    ) -> Result<Vec<Destination>, Failure> {
        let way = |way| match way {
            Way::To(text) => self.look_up(text, node).map(Destination::Node),
            Way::Send(send) => {
                let (node, input) = send.into_parts()?;
                Ok(Destination::Send { node, input })
            }
        };
        let destinations: Result<Vec<_>, Failure> = ways.into_iter().map(way).collect();
        let destinations = destinations?;
        check(&destinations, node, topology)?;
        Ok(destinations)
    }

    fn look_up(&self, text: String, node: &str) -> Result<String, Failure> {
        let Some(map) = &self.map else { return Ok(text) };
        match map.iter().find(|(key, _)| *key == text) {
            Some((_, node)) => Ok(node.clone()),
            None => {
                let known: Vec<_> = map.iter().map(|(key, _)| format!("`{key}`")).collect();
                let message = format!(
                    "the path of a conditional edge from `{node}` gave `{text}`, which its map \
                     does not have; it has {}",
                    known.join(", ")
                );
                Err(Failure::new(kind::INVALID_DESTINATION, message).final_())
            }
        }
    }
}

/// Refuses destinations that do not exist.
pub(crate) fn check(
    destinations: &[Destination],
    node: &str,
    topology: &Topology,
) -> Result<(), Failure> {
    for destination in destinations {
        let (name, is_send) = match destination {
            Destination::Node(name) => (name, false),
            Destination::Send { node, .. } => (node, true),
        };
        if is_send && name == END {
            let message = format!(
                "`{node}` sends to the end, which takes no input; name a node, or go there"
            );
            return Err(Failure::new(kind::INVALID_UPDATE, message).final_());
        }
        let exists = topology.has(name) || (name == END && !is_send);
        if !exists || name == START {
            let message = format!(
                "`{node}` leads to `{name}`, which is no node of the graph; add the node, or go \
                 to another one"
            );
            return Err(Failure::new(kind::INVALID_DESTINATION, message).final_());
        }
    }
    Ok(())
}

/// A function that can be a path: of a state (what a node may take, see [`NodeInput`]) to what
/// [`IntoRoutes`] lists, async or not.
///
/// `M` tells the forms apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "this function cannot be the path of a conditional edge",
    label = "expected a function of a state to the name of a node, a `Send`, a `Route` or several",
    note = "write the type of its argument: `|state: Essay| \"review\"`"
)]
pub trait PathFn<M>: Send + Sync + 'static {
    /// The edge.
    fn into_branch(self) -> Branch;
}

/// The form of a function that returns at once.
#[derive(Debug)]
pub enum Plain {}

/// The form of an async function.
#[derive(Debug)]
pub enum Async {}

impl<F, I, R> PathFn<(Plain, I, R)> for F
where
    F: Fn(I) -> R + Send + Sync + 'static,
    I: NodeInput,
    R: IntoRoutes,
{
    fn into_branch(self) -> Branch {
        let path = move |state: &Payload, node: &str| -> Result<Ways, Failure> {
            let ways = self(I::read(state, node)?).into_routes();
            Ok(Box::pin(std::future::ready(ways)))
        };
        Branch::of(Arc::new(path), I::fields(), (R::DESTINATIONS, R::NEEDS_MAP))
    }
}

impl<F, I, Fut, R> PathFn<(Async, I, R)> for F
where
    F: Fn(I) -> Fut + Send + Sync + 'static,
    I: NodeInput,
    Fut: Future<Output = R> + Send + 'static,
    R: IntoRoutes,
{
    fn into_branch(self) -> Branch {
        let path = move |state: &Payload, node: &str| -> Result<Ways, Failure> {
            let ways = self(I::read(state, node)?);
            Ok(Box::pin(async move { ways.await.into_routes() }))
        };
        Branch::of(Arc::new(path), I::fields(), (R::DESTINATIONS, R::NEEDS_MAP))
    }
}

impl Branch {
    fn of(
        path: Arc<Path>,
        fields: Option<Vec<Field>>,
        (ends, needs_map): (Option<&'static [&'static str]>, bool),
    ) -> Self {
        // A type that lists its destinations is checked as a map is.
        let map =
            ends.map(|nodes| nodes.iter().map(|node| ((*node).to_owned(), (*node).to_owned())));
        let map = map.map(Iterator::collect);
        Self { path, fields, map, needs_map, ends: None, name: None }
    }
}

/// What can be a conditional edge: a [`Branch`], or a function that [`PathFn`] describes.
pub trait IntoBranch<M> {
    /// The edge.
    fn into_branch(self) -> Branch;
}

impl IntoBranch<()> for Branch {
    fn into_branch(self) -> Branch {
        self
    }
}

impl<M, F: PathFn<M>> IntoBranch<(M,)> for F {
    fn into_branch(self) -> Branch {
        PathFn::into_branch(self)
    }
}

impl fmt::Debug for Branch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Branch")
            .field("name", &self.name)
            .field("map", &self.map)
            .finish_non_exhaustive()
    }
}
