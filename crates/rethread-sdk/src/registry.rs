use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::sync::Arc;

use rethread_core::event::Refusal;
use rethread_core::ids::{ID_BYTES_MAX, IdError};
use rethread_core::payload::Payload;
use rethread_core::replay::{BodyFuture, Program};

use crate::entrypoint::{Entrypoint, StartEntrypoint};
use crate::task::{Task, TaskDef};

/// The code of a program: its entrypoints and tasks by name.
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
    entrypoints: BTreeMap<Arc<str>, Arc<StartEntrypoint>>,
    tasks: BTreeMap<Arc<str>, TaskDef>,
}

/// What cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// A name is empty or too long.
    #[error("`{name}` cannot name a task or entrypoint: use 1 to {ID_BYTES_MAX} bytes")]
    InvalidName {
        /// The name.
        name: String,
    },
    /// A task asks for a queue that cannot exist.
    #[error("task `{task}`: {source}")]
    InvalidQueue {
        /// Name of the task.
        task: String,
        /// What is wrong with the queue's name.
        source: IdError,
    },
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
}

impl Program for Registry {
    fn start(&self, entrypoint: &str, input: &Payload) -> Result<BodyFuture, Refusal> {
        let Some(start) = self.entrypoints.get(entrypoint) else {
            let known: Vec<_> = self.entrypoint_names().collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Err(Refusal::UnknownEntrypoint { name: entrypoint.to_owned(), known });
        };
        start(input).map_err(|error| Refusal::InvalidInput { reason: error.to_string() })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("entrypoints", &self.entrypoints.keys())
            .field("tasks", &self.tasks.keys())
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
        let (name, start) = entrypoint.into_parts();
        self.check_name(&name);
        match self.registry.entrypoints.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(start);
            }
            Entry::Occupied(entry) => {
                let name = entry.key().as_ref().to_owned();
                self.fail(RegistryError::DuplicateEntrypoint { name });
            }
        }
        self
    }

    /// Adds a task.
    #[must_use]
    pub fn task<A, T>(mut self, task: Task<A, T>) -> Self {
        let task = TaskDef::from(task);
        self.check_name(task.name());
        if let Some(source) = task.invalid() {
            let source = source.clone();
            self.fail(RegistryError::InvalidQueue { task: task.name().to_owned(), source });
        }
        match self.registry.tasks.entry(task.shared_name()) {
            Entry::Vacant(entry) => {
                entry.insert(task);
            }
            Entry::Occupied(entry) => {
                let name = entry.key().as_ref().to_owned();
                self.fail(RegistryError::DuplicateTask { name });
            }
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

    fn check_name(&mut self, name: &str) {
        if name.is_empty() || name.len() > ID_BYTES_MAX {
            self.fail(RegistryError::InvalidName { name: name.to_owned() });
        }
    }

    fn fail(&mut self, error: RegistryError) {
        self.error.get_or_insert(error);
    }
}
