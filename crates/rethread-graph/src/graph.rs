use std::fmt;
use std::sync::Arc;

use rethread_core::event::Refusal;
use rethread_core::graph::{GraphEdit, GraphEdited};
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::replay::BodyFuture;
use rethread_sdk::{Bundle, Call, Entrypoint, EntrypointRef, RegistryBuilder, Steps, Value};

use crate::compiled::Compiled;
use crate::draw::Drawing;
use crate::{edit, play};

/// A graph that was found well formed: what is registered, run and called.
///
/// To everything that runs and watches it, it is an entrypoint of its name; what takes one of
/// these takes a graph as well. It is cheap to clone.
pub struct Graph<I, O> {
    entrypoint: Entrypoint<I, O>,
    compiled: Arc<Compiled>,
}

impl<I, O> Graph<I, O> {
    pub(crate) fn new(compiled: Arc<Compiled>) -> Self {
        Self { entrypoint: entrypoint(&compiled), compiled }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.entrypoint.name()
    }

    /// The graph without its code: what a client needs of it.
    pub fn reference(&self) -> EntrypointRef<I, O> {
        self.entrypoint.reference()
    }

    /// Calls it from an entrypoint, a task or a node, on the same thread, with a state of its own;
    /// it starts at once. As [`EntrypointRef::call`].
    pub fn call(&self, input: I) -> Call<O>
    where
        I: Value,
    {
        self.entrypoint.call(input)
    }

    /// Calls it under a key of its own; as [`EntrypointRef::call_keyed`].
    pub fn call_keyed(&self, key: &str, input: I) -> Call<O>
    where
        I: Value,
    {
        self.entrypoint.call_keyed(key, input)
    }

    /// Publishes JSON Schemas of its input and its result, which those see who start it over HTTP.
    /// `In` and `Out` are types of these forms: the state itself, where all its fields may be left
    /// out, describes both. Needs the feature `schemas`.
    #[cfg(feature = "schemas")]
    #[must_use]
    pub fn schema<In: schemars::JsonSchema, Out: schemars::JsonSchema>(mut self) -> Self {
        self.entrypoint = self.entrypoint.schema_as::<In, Out>();
        self
    }

    /// Publishes a JSON Schema of what its nodes ask people. Needs the feature `schemas`.
    #[cfg(feature = "schemas")]
    #[must_use]
    pub fn interrupt_schema<Q: schemars::JsonSchema>(mut self) -> Self {
        self.entrypoint = self.entrypoint.interrupt_schema::<Q>();
        self
    }

    /// Its nodes and edges, for people: as text for Mermaid, or one by one.
    pub fn draw(&self) -> Drawing {
        Drawing::of(&self.compiled, false)
    }

    /// The same with the nodes of the graphs that are nodes, at all depths.
    pub fn draw_xray(&self) -> Drawing {
        Drawing::of(&self.compiled, true)
    }

    pub(crate) fn compiled(&self) -> &Arc<Compiled> {
        &self.compiled
    }
}

/// The entrypoint that a graph is.
fn entrypoint<I, O>(graph: &Arc<Compiled>) -> Entrypoint<I, O> {
    let steps: Arc<dyn Steps> = Arc::<Compiled>::clone(graph);
    let outputs = graph.has_own_output.then(|| graph.output.iter().cloned().collect());
    let body = Arc::clone(graph);
    let start = move |input: &Payload| -> Result<BodyFuture, PayloadError> {
        play::check_input(&body, input)?;
        Ok(Box::pin(play::play(Arc::clone(&body), input.clone())))
    };
    Entrypoint::from_steps(&graph.name, start, outputs, steps).history(graph.history)
}

impl Steps for Compiled {
    fn edit(&self, edit: &GraphEdit) -> Result<GraphEdited, Refusal> {
        edit::edit(self, edit)
    }

    fn drawing(&self) -> serde_json::Value {
        Drawing::published(self)
    }
}

impl<I, O> Bundle for Graph<I, O> {
    fn add_to(&self, registry: RegistryBuilder) -> RegistryBuilder {
        let registry =
            registry.graph_parts(self.entrypoint.clone(), self.compiled.tasks().cloned().collect());
        add_subgraphs(&self.compiled, registry)
    }
}

/// Registers the graphs that are nodes.
fn add_subgraphs(graph: &Compiled, mut registry: RegistryBuilder) -> RegistryBuilder {
    for (_, subgraph) in graph.subgraphs() {
        registry = registry.graph(&Graph::<(), ()>::new(Arc::clone(subgraph)));
    }
    registry
}

impl<I, O> Clone for Graph<I, O> {
    fn clone(&self) -> Self {
        Self { entrypoint: self.entrypoint.clone(), compiled: Arc::clone(&self.compiled) }
    }
}

impl<I, O> fmt::Debug for Graph<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Graph").field(&self.compiled).finish()
    }
}

impl<I, O> From<Graph<I, O>> for EntrypointRef<I, O> {
    fn from(graph: Graph<I, O>) -> Self {
        graph.reference()
    }
}

impl<I, O> From<&Graph<I, O>> for EntrypointRef<I, O> {
    fn from(graph: &Graph<I, O>) -> Self {
        graph.reference()
    }
}
