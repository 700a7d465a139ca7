use std::process::ExitCode;

use rethread_sdk::{Entrypoint, Registry, RegistryBuilder, RegistryError, Task};

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

    /// Adds a task.
    #[must_use]
    pub fn task<A, T>(mut self, task: Task<A, T>) -> Self {
        self.registry = self.registry.task(task);
        self
    }

    /// The code by name.
    ///
    /// # Errors
    /// The first thing that could not be registered, such as two tasks of one name.
    pub fn registry(self) -> Result<Registry, RegistryError> {
        self.registry.build()
    }

    /// Runs the program as its arguments say: `run`, `dev`, `coordinator` or `worker`.
    ///
    /// Makes its own tokio runtime, so it is called from a plain `fn main`. `--help` tells the
    /// subcommands and flags; [`crate::Settings`] tells the settings. Exit codes: 0 done, 1
    /// failed, 2 wrong arguments or settings, 3 a question was left unanswered.
    pub fn main(self) -> ExitCode {
        cli::main(self)
    }
}
