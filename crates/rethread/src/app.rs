use std::process::ExitCode;
use std::sync::Arc;

use rethread_sdk::{Bundle, Entrypoint, Registry, RegistryBuilder, RegistryError, Task};
use rethread_storage::store::StoreIndex;

use crate::cli;

/// The code of an application, ready to be run in this process or as services.
///
/// ```no_run
/// use rethread::prelude::*;
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
/// fn main() -> std::process::ExitCode {
///     rethread::App::new().entrypoint(greet::def()).task(greeting::def()).main()
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct App {
    registry: RegistryBuilder,
    store_index: Option<StoreIndex>,
}

impl App {
    /// An application without code.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an entrypoint.
    #[must_use]
    pub fn entrypoint<I, O>(mut self, entrypoint: Entrypoint<I, O>) -> Self {
        self.registry = self.registry.entrypoint(entrypoint);
        self
    }

    /// Adds a graph, with its nodes and the graphs in it.
    #[must_use]
    pub fn graph(mut self, graph: &impl Bundle) -> Self {
        self.registry = self.registry.graph(graph);
        self
    }

    /// Adds a task.
    #[must_use]
    pub fn task<A, T>(mut self, task: Task<A, T>) -> Self {
        self.registry = self.registry.task(task);
        self
    }

    /// Provides a value to the bodies of tasks and entrypoints that run in this process: a
    /// client of a service, a connection pool, settings. They find it by its type, with
    /// [`dep`](crate::dep()) or a parameter of type [`Dep`](crate::Dep).
    ///
    /// ```
    /// use rethread::prelude::*;
    /// use rethread::{App, Embedded, Outcome};
    ///
    /// struct Model {
    ///     name: String,
    /// }
    ///
    /// #[task]
    /// async fn ask(prompt: String, model: Dep<Model>) -> Result<String> {
    ///     Ok(format!("{}: {prompt}", model.name))
    /// }
    ///
    /// #[entrypoint]
    /// async fn chat(prompt: String) -> Result<String> {
    ///     ask(prompt).await
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// let model = Model { name: "echo".into() };
    /// let app = App::new().entrypoint(chat::def()).task(ask::def()).provide(model);
    /// let engine = Embedded::in_memory(app).await?;
    /// let outcome = engine.client().thread("t")?.invoke(chat::def(), "hello".into()).await?;
    /// assert_eq!(outcome, Outcome::Done("echo: hello".into()));
    /// # engine.shutdown().await?;
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    #[must_use]
    pub fn provide<D: Send + Sync + 'static>(mut self, value: D) -> Self {
        self.registry = self.registry.provide(value);
        self
    }

    /// As [`App::provide`], for a value that is shared already, or that is known by a trait only:
    /// an `Arc<dyn Model>` is found as `dep::<dyn Model>()`.
    #[must_use]
    pub fn provide_shared<D: ?Sized + Send + Sync + 'static>(mut self, value: Arc<D>) -> Self {
        self.registry = self.registry.provide_shared(value);
        self
    }

    /// Has the [`store`](crate::store()) searched by meaning: what bodies put into it from now on
    /// is indexed. Every process that works on the same store should have the same index.
    #[must_use]
    pub fn store_index(mut self, index: StoreIndex) -> Self {
        self.store_index = Some(index);
        self
    }

    /// The index of the store, if there is one.
    pub(crate) fn index(&self) -> Option<StoreIndex> {
        self.store_index.clone()
    }

    /// The code by name.
    ///
    /// # Errors
    /// The first thing that could not be registered, such as two tasks of one name.
    pub fn registry(self) -> Result<Registry, RegistryError> {
        self.registry.build()
    }

    /// Runs the program as its arguments say: `run`, `dev`, `coordinator`, `worker` or `gateway`,
    /// or a command of operators.
    ///
    /// Makes its own tokio runtime, so it is called from a plain `fn main`. `--help` tells the
    /// subcommands and flags; [`crate::Settings`] tells the settings. Exit codes: 0 done, 1
    /// failed, 2 wrong arguments or settings, 3 a question was left unanswered.
    pub fn main(self) -> ExitCode {
        cli::main(self)
    }
}
