use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::failure::Failure;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::policy::{Cache, TaskOptions};

use crate::args::Args;
use crate::call::Call;
use crate::error::Error;
use crate::handler::Handler;
use crate::options::OptionError;
use crate::retry::{IntoRetries, Policies, Predicates};
use crate::returns::Returns;
use crate::task_ref::TaskRef;
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
    predicates: Predicates,
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
        Self { reference, predicates: Predicates::default(), start: Arc::new(start) }
    }

    /// A task whose body takes its recorded arguments as they are.
    #[doc(hidden)]
    pub fn from_raw(
        name: impl AsRef<str>,
        start: impl Fn(&Payload) -> Result<TaskFuture, PayloadError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            reference: TaskRef::named(name),
            predicates: Predicates::default(),
            start: Arc::new(start),
        }
    }

    /// The same options for another body.
    #[doc(hidden)]
    #[must_use]
    pub fn with_raw(
        &self,
        name: impl AsRef<str>,
        start: impl Fn(&Payload) -> Result<TaskFuture, PayloadError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            reference: self.reference.renamed(name),
            predicates: self.predicates.clone(),
            start: Arc::new(start),
        }
    }

    /// The same without a cache of its own.
    #[doc(hidden)]
    #[must_use]
    pub fn uncached(mut self) -> Self {
        self.reference = self.reference.uncached();
        self
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

    /// Sets when failed attempts are repeated: one [`Retry`](crate::Retry), or several of which
    /// the first that matches a failure decides. Without it, those of the entrypoint count that
    /// the task runs in.
    ///
    /// Predicates are asked on the worker that ran the attempt, of the task as it is registered
    /// there.
    #[must_use]
    pub fn retry(mut self, retry: impl IntoRetries) -> Self {
        let policies = Policies::new(retry);
        self.predicates = policies.predicates.clone();
        let checked = policies.check();
        self.reference = self.reference.policies(policies, checked);
        self
    }

    /// Sets the longest time one attempt may take; see [`TaskRef::timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.reference = self.reference.timeout(timeout);
        self
    }

    /// Sets the longest time one attempt may be silent; see [`TaskRef::idle_timeout`].
    #[must_use]
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.reference = self.reference.idle_timeout(timeout);
        self
    }

    /// Sets that results are kept and reused by equal calls; see [`TaskRef::cache`].
    ///
    /// ```
    /// # extern crate rethread_sdk as rethread;
    /// use std::time::Duration;
    ///
    /// use rethread::prelude::*;
    ///
    /// fn by_id((id, _text): &(u64, String)) -> String {
    ///     id.to_string()
    /// }
    ///
    /// #[task(cache = Cache::ttl(Duration::from_secs(3_600)), cache_key = by_id)]
    /// async fn embed(id: u64, text: String) -> Result<Vec<f32>> {
    ///     # let _ = (id, text);
    ///     Ok(vec![0.0; 768])
    /// }
    /// ```
    #[must_use]
    pub fn cache(mut self, cache: Cache) -> Self {
        self.reference = self.reference.cache(cache);
        self
    }

    /// Sets what equal calls are; see [`TaskRef::cache_key`].
    #[must_use]
    pub fn cache_key(mut self, key: impl Fn(&A) -> String + Send + Sync + 'static) -> Self {
        self.reference = self.reference.cache_key(key);
        self
    }

    /// Sets the version of the code; see [`TaskRef::version`].
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.reference = self.reference.version(version);
        self
    }
}

impl<A, T> Clone for Task<A, T> {
    fn clone(&self) -> Self {
        Self {
            reference: self.reference.clone(),
            predicates: self.predicates.clone(),
            start: Arc::clone(&self.start),
        }
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
    predicates: Predicates,
    invalid: Option<OptionError>,
    is_inline: bool,
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

    /// What the predicate of its n-th retry policy says of a failure; false for a policy without
    /// one.
    pub fn retries(&self, policy: usize, failure: &Failure) -> bool {
        self.predicates.says(policy, failure)
    }

    /// What the predicates of all its retry policies say of a failure, by the number of the
    /// policy; empty if none has one.
    pub fn predicates(&self, failure: &Failure) -> Vec<bool> {
        self.predicates.say(failure)
    }

    pub(crate) fn invalid(&self) -> Option<&OptionError> {
        self.invalid.as_ref()
    }

    /// What it asks of the engine, to be put into calls.
    #[doc(hidden)]
    pub fn shared_options(&self) -> Arc<TaskOptions> {
        Arc::clone(&self.options)
    }

    /// The same as one that runs in the coordinator, where it is called, and not on a worker.
    #[doc(hidden)]
    #[must_use]
    pub fn inline(mut self) -> Self {
        self.is_inline = true;
        self
    }

    pub(crate) fn is_inline(&self) -> bool {
        self.is_inline
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
            predicates: task.predicates,
            is_inline: false,
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
