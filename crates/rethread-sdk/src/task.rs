use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::failure::Failure;
use rethread_core::ids::IdError;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::policy::TaskOptions;

use crate::args::Args;
use crate::call::Call;
use crate::error::Error;
use crate::handler::Handler;
use crate::returns::Returns;
use crate::task_ref::{IntoRetries, TaskRef};
use crate::value::Value;

/// A task with its code: what [`task`](macro@crate::task) makes, and what a worker registers.
///
/// `A` is the tuple of its arguments, `T` its result. It is cheap to clone.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// async fn add(a: i64, b: i64) -> Result<i64> {
///     Ok(a + b)
/// }
///
/// let add = Task::new("add", add).retry(Retry::attempts(5));
/// let sum = Entrypoint::new("sum", move |(a, b)| {
///     let add = add.clone();
///     async move { add.call((a, b)).await }
/// });
/// # let _: Entrypoint<(i64, i64), i64> = sum;
/// ```
pub struct Task<A, T> {
    reference: TaskRef<A, T>,
    start: Arc<StartTask>,
}

type StartTask = dyn Fn(&Payload) -> Result<TaskFuture, PayloadError> + Send + Sync;

/// One attempt of a task: its recorded result, or how it failed.
///
/// It must be polled inside the scope of the attempt
/// ([`Scope::enter`](rethread_core::replay::Scope::enter)).
pub type TaskFuture = Pin<Box<dyn Future<Output = Result<Payload, Failure>> + Send>>;

impl<A, T> Task<A, T> {
    /// A task of this name whose body is an async function of up to eight owned arguments.
    ///
    /// The name is recorded with each call: renaming the task orphans calls in flight.
    pub fn new<F>(name: impl AsRef<str>, body: F) -> Self
    where
        A: Args,
        T: Value,
        F: Handler<A>,
        <F::Future as Future>::Output: Returns<Value = T>,
    {
        let reference = TaskRef::named(name);
        let name = Arc::clone(&reference.callee().name);
        let body = Arc::new(body);
        let start = move |input: &Payload| -> Result<TaskFuture, PayloadError> {
            let args = A::decode(input, &name)?;
            let (name, body) = (Arc::clone(&name), Arc::clone(&body));
            Ok(Box::pin(async move {
                let value = body.call(args).await.into_result().map_err(Error::into_failure)?;
                Ok(Payload::encode(&value, format_args!("result of task `{name}`"))?)
            }))
        };
        Self { reference, start: Arc::new(start) }
    }

    /// Calls the task; it is scheduled at once.
    pub fn call(&self, args: A) -> Call<T>
    where
        A: Args,
    {
        self.reference.call(args)
    }

    /// Calls the task under a key of its own; see [`TaskRef::call_keyed`].
    pub fn call_keyed(&self, key: &str, args: A) -> Call<T>
    where
        A: Args,
    {
        self.reference.call_keyed(key, args)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.reference.name()
    }

    /// The task without its code.
    pub fn reference(&self) -> &TaskRef<A, T> {
        &self.reference
    }

    /// Sets the queue that its attempts are put in; see [`TaskRef::queue`].
    #[must_use]
    pub fn queue(mut self, queue: impl AsRef<str>) -> Self {
        self.reference = self.reference.queue(queue);
        self
    }

    /// Sets when failed attempts are repeated; see [`TaskRef::retry`].
    #[must_use]
    pub fn retry(mut self, retry: impl IntoRetries) -> Self {
        self.reference = self.reference.retry(retry);
        self
    }

    /// Sets the longest time one attempt may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.reference = self.reference.timeout(timeout);
        self
    }
}

impl<A, T> Clone for Task<A, T> {
    fn clone(&self) -> Self {
        Self { reference: self.reference.clone(), start: Arc::clone(&self.start) }
    }
}

impl<A, T> fmt::Debug for Task<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Task").field(&self.reference).finish()
    }
}

/// A task without its types, as a worker runs it. Cheap to clone.
#[derive(Clone)]
pub struct TaskDef {
    name: Arc<str>,
    options: Arc<TaskOptions>,
    invalid: Option<IdError>,
    start: Arc<StartTask>,
}

impl TaskDef {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it asks of the engine.
    pub fn options(&self) -> &TaskOptions {
        &self.options
    }

    /// Makes one attempt for encoded arguments. User code starts with the first poll.
    ///
    /// # Errors
    /// When the arguments are not those of the task; the failure names task, position and type.
    pub fn start(&self, input: &Payload) -> Result<TaskFuture, Failure> {
        Ok((self.start)(input)?)
    }

    pub(crate) fn invalid(&self) -> Option<&IdError> {
        self.invalid.as_ref()
    }

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

impl<A, T> From<Task<A, T>> for TaskDef {
    fn from(task: Task<A, T>) -> Self {
        let callee = task.reference.callee();
        Self {
            name: Arc::clone(&callee.name),
            options: Arc::clone(&callee.options),
            invalid: callee.invalid.clone(),
            start: task.start,
        }
    }
}

impl fmt::Debug for TaskDef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskDef")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
