use std::any::type_name;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use rethread_core::event::Refusal;
use rethread_core::failure::Failure;
use rethread_core::graph::{GraphEdit, GraphEdited};
use rethread_core::ids::{ID_BYTES_MAX, Millis};
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::policy::EntrypointOptions;
use rethread_core::replay::{self, BodyFuture, InlineFuture, Program, panic_failure};

use crate::entrypoint::{Entrypoint, EntrypointDef};
use crate::options::OptionError;
use crate::provided::Provided;
use crate::schemas::Description;
use crate::steps::Bundle;
use crate::task::{Task, TaskDef};

/// The code of a program: its entrypoints and tasks by name, and what it provides to them.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::{Registry, prelude::*};
///
/// #[task]
/// async fn greeting(name: String) -> Result<String> {
///     Ok(format!("hello {name}"))
/// }
///
/// #[entrypoint]
/// async fn greet(name: String) -> Result<String> {
///     greeting(name).await
/// }
///
/// let registry = Registry::builder().entrypoint(greet::def()).task(greeting::def()).build()?;
/// assert!(registry.task("greeting").is_some());
/// assert_eq!(registry.entrypoint_names().collect::<Vec<_>>(), ["greet"]);
///
/// let twice = Registry::builder().task(greeting::def()).task(greeting::def()).build();
/// assert!(twice.is_err());
/// # Ok::<(), rethread::RegistryError>(())
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    entrypoints: BTreeMap<Arc<str>, EntrypointDef>,
    tasks: BTreeMap<Arc<str>, TaskDef>,
    provided: Arc<Provided>,
}

/// What cannot be registered.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two tasks have the same name.
    #[error("two tasks are named `{name}`; register each once, or give one another name")]
    DuplicateTask {
        /// The name.
        name: String,
    },
    /// Two entrypoints have the same name.
    #[error("two entrypoints are named `{name}`; register each once, or give one another name")]
    DuplicateEntrypoint {
        /// The name.
        name: String,
    },
    /// Two graphs have the same name, or one was built twice.
    #[error(
        "two graphs are named `{name}`; each `compile` makes one of its own, so build it once and \
         register clones of it, or give one of them another name"
    )]
    DuplicateGraph {
        /// The name.
        name: String,
    },
    /// A task and an entrypoint have the same name.
    #[error(
        "a task and an entrypoint are both named `{name}`; give one of them another name, since \
         events and states tell them apart by it"
    )]
    SharedName {
        /// The name.
        name: String,
    },
    /// A name is empty, too long, or one of the engine's.
    #[error(
        "`{name}` cannot name a task or entrypoint: use 1 to {ID_BYTES_MAX} bytes that do not \
         begin with `__`"
    )]
    InvalidName {
        /// The name.
        name: String,
    },
    /// A task or entrypoint asks for what cannot be.
    #[error("`{name}`: {source}")]
    InvalidOption {
        /// Name of the task or entrypoint.
        name: String,
        /// What is wrong.
        source: OptionError,
    },
    /// Two values of one type are provided.
    #[error(
        "two values of type `{type_name}` are provided; bodies find them by type, so wrap one in \
         a type of its own"
    )]
    DuplicateProvided {
        /// The type.
        type_name: &'static str,
    },
}

/// The text for people, since that is what a `main` shows that returns the error.
impl fmt::Debug for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Registry {
    /// Begins an empty registry.
    pub fn builder() -> RegistryBuilder {
        RegistryBuilder::default()
    }

    /// The task of this name.
    pub fn task(&self, name: &str) -> Option<&TaskDef> {
        self.tasks.get(name)
    }

    /// All tasks, by name.
    pub fn tasks(&self) -> impl Iterator<Item = &TaskDef> {
        self.tasks.values()
    }

    /// The names of all tasks, in order.
    pub fn task_names(&self) -> impl Iterator<Item = &str> {
        self.tasks.keys().map(AsRef::as_ref)
    }

    /// The names of all entrypoints, in order.
    pub fn entrypoint_names(&self) -> impl Iterator<Item = &str> {
        self.entrypoints.keys().map(AsRef::as_ref)
    }

    /// What is told of an entrypoint to those who start it without its types: its name, its JSON
    /// Schemas as far as it has some, and the drawing of a graph. None if there is no entrypoint of this name.
    ///
    /// # Errors
    /// When a schema cannot be encoded.
    pub fn describe(&self, entrypoint: &str, at: Millis) -> Option<Result<Payload, PayloadError>> {
        let known = self.entrypoints.get(entrypoint)?;
        #[cfg(feature = "json")]
        let graph = known.steps().map(|steps| steps.drawing());
        #[cfg(not(feature = "json"))]
        let graph = None;
        let described = Description::new(entrypoint, known.schemas(), graph, at);
        Some(Payload::encode(&described, format_args!("description of `{entrypoint}`")))
    }
}

impl Registry {
    fn known(&self, entrypoint: &str) -> Result<&EntrypointDef, Refusal> {
        self.entrypoints.get(entrypoint).ok_or_else(|| {
            let known: Vec<_> = self.entrypoint_names().collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            Refusal::UnknownEntrypoint { name: entrypoint.to_owned(), known }
        })
    }
}

impl Program for Registry {
    fn start(&self, entrypoint: &str, input: &Payload) -> Result<BodyFuture, Refusal> {
        let known = self.known(entrypoint)?;
        known.start(input).map_err(|error| Refusal::InvalidInput { reason: error.to_string() })
    }

    fn options(&self, entrypoint: &str) -> EntrypointOptions {
        self.entrypoints.get(entrypoint).map(|known| known.options().clone()).unwrap_or_default()
    }

    fn retries(&self, entrypoint: &str, policy: usize, failure: &Failure) -> bool {
        self.entrypoints.get(entrypoint).is_some_and(|known| known.retries(policy, failure))
    }

    fn cache_key(&self, entrypoint: &str, input: &Payload) -> Option<String> {
        self.entrypoints.get(entrypoint)?.cache_key(input)
    }

    fn is_graph(&self, entrypoint: &str) -> bool {
        self.entrypoints.get(entrypoint).is_some_and(|known| known.steps().is_some())
    }

    fn start_inline(&self, task: &str, input: &Payload) -> Option<Result<InlineFuture, Failure>> {
        let task = self.tasks.get(task).filter(|task| task.is_inline())?;
        Some(task.start(input))
    }

    fn edit(&self, entrypoint: &str, edit: &GraphEdit) -> Result<GraphEdited, Refusal> {
        let known = self.known(entrypoint)?;
        let Some(steps) = known.steps() else {
            let reason = format!("entrypoint `{entrypoint}` is not a graph");
            return Err(Refusal::InvalidUpdate { reason });
        };
        // What it asks is code of the user.
        catch_unwind(AssertUnwindSafe(|| steps.edit(edit))).unwrap_or_else(|panic| {
            let reason = panic_failure(panic.as_ref()).message;
            Err(Refusal::InvalidUpdate { reason })
        })
    }

    fn provided(&self) -> Option<replay::Provided> {
        (!self.provided.is_empty()).then(|| Arc::clone(&self.provided) as replay::Provided)
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("entrypoints", &self.entrypoints.keys())
            .field("tasks", &self.tasks.keys())
            .field("provided", &self.provided)
            .finish()
    }
}

/// Collects the code of a program; see [`Registry`].
#[derive(Debug, Clone, Default)]
pub struct RegistryBuilder {
    registry: Registry,
    /// The first thing that was wrong.
    error: Option<RegistryError>,
}

impl RegistryBuilder {
    /// Adds an entrypoint.
    #[must_use]
    pub fn entrypoint<I, O>(mut self, entrypoint: Entrypoint<I, O>) -> Self {
        let (name, def) = entrypoint.into_parts();
        self.check(&name, def.invalid());
        if self.registry.tasks.contains_key(&name) {
            self.fail(RegistryError::SharedName { name: name.to_string() });
        }
        match self.registry.entrypoints.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(def);
            }
            Entry::Occupied(entry) => {
                let name = entry.key().to_string();
                self.fail(RegistryError::DuplicateEntrypoint { name });
            }
        }
        self
    }

    /// Adds a graph, with the tasks of its nodes and the graphs in it. The same graph may be added
    /// again, as part of others.
    #[must_use]
    pub fn graph(self, graph: &impl Bundle) -> Self {
        graph.add_to(self)
    }

    /// Adds the parts of a graph, unless it was added before.
    #[doc(hidden)]
    #[must_use]
    pub fn graph_parts<I, O>(mut self, graph: Entrypoint<I, O>, tasks: Vec<TaskDef>) -> Self {
        let (name, def) = graph.clone().into_parts();
        match self.registry.entrypoints.get(&name) {
            Some(known) if known.is_same_graph(&def) => return self,
            Some(known) if known.steps().is_some() => {
                self.fail(RegistryError::DuplicateGraph { name: name.to_string() });
                return self;
            }
            Some(_) | None => {}
        }
        self = self.entrypoint(graph);
        for task in tasks {
            self = self.task_def(task);
        }
        self
    }

    /// Adds a task.
    #[must_use]
    pub fn task<A, T>(self, task: Task<A, T>) -> Self {
        self.task_def(TaskDef::from(task))
    }

    fn task_def(mut self, task: TaskDef) -> Self {
        self.check(task.name(), task.invalid());
        if self.registry.entrypoints.contains_key(task.name()) {
            self.fail(RegistryError::SharedName { name: task.name().to_owned() });
        }
        match self.registry.tasks.entry(task.shared_name()) {
            Entry::Vacant(entry) => {
                entry.insert(task);
            }
            Entry::Occupied(entry) => {
                let name = entry.key().to_string();
                self.fail(RegistryError::DuplicateTask { name });
            }
        }
        self
    }

    /// Provides a value to the bodies of tasks and entrypoints that run in this program. They
    /// find it by its type; see [`dep`](crate::dep()).
    #[must_use]
    pub fn provide<D: Send + Sync + 'static>(self, value: D) -> Self {
        self.provide_shared(Arc::new(value))
    }

    /// Provides a value that is shared already, or one that is known by a trait only:
    /// an `Arc<dyn Model>` is found as `dep::<dyn Model>()`.
    #[must_use]
    pub fn provide_shared<D: ?Sized + Send + Sync + 'static>(mut self, value: Arc<D>) -> Self {
        if !Arc::make_mut(&mut self.registry.provided).add(value) {
            self.fail(RegistryError::DuplicateProvided { type_name: type_name::<D>() });
        }
        self
    }

    /// Ends the registry.
    ///
    /// # Errors
    /// The first thing that could not be registered.
    pub fn build(self) -> Result<Registry, RegistryError> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.registry),
        }
    }

    fn check(&mut self, name: &str, invalid: Option<&OptionError>) {
        if name.is_empty() || name.len() > ID_BYTES_MAX || name.starts_with("__") {
            self.fail(RegistryError::InvalidName { name: name.to_owned() });
        }
        if let Some(source) = invalid.cloned() {
            self.fail(RegistryError::InvalidOption { name: name.to_owned(), source });
        }
    }

    fn fail(&mut self, error: RegistryError) {
        self.error.get_or_insert(error);
    }
}
