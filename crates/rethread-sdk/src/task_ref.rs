use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::{IdError, QueueName};
use rethread_core::policy::{Retry, TaskOptions};
use rethread_core::replay::CallRequest;

use crate::args::Args;
use crate::awaited::What;
use crate::call::Call;
use crate::error::Error;

/// A task by its name and types, without its code: it may live in another program.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::{TaskRef, prelude::*};
///
/// #[entrypoint]
/// async fn caption(image: String) -> Result<String> {
///     let describe = TaskRef::<(String,), String>::named("describe").queue("gpu");
///     describe.call((image,)).await
/// }
/// ```
pub struct TaskRef<A, T> {
    callee: Arc<Callee>,
    signature: PhantomData<fn(A) -> T>,
}

#[derive(Debug, Clone)]
pub(crate) struct Callee {
    pub(crate) name: Arc<str>,
    pub(crate) options: Arc<TaskOptions>,
    /// Why it cannot be called, if a builder method was given what it cannot take.
    pub(crate) invalid: Option<IdError>,
}

impl<A, T> TaskRef<A, T> {
    /// The task of this name, with default options.
    pub fn named(name: impl AsRef<str>) -> Self {
        Self {
            callee: Arc::new(Callee {
                name: Arc::from(name.as_ref()),
                options: Arc::default(),
                invalid: None,
            }),
            signature: PhantomData,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.callee.name
    }

    /// Sets the queue that its attempts are put in; workers choose queues.
    ///
    /// A text that cannot be a queue name (empty, or over 256 bytes) is an error of each call
    /// and of the registry.
    #[must_use]
    pub fn queue(mut self, queue: impl AsRef<str>) -> Self {
        let callee = Arc::make_mut(&mut self.callee);
        match QueueName::new(queue) {
            Ok(queue) => Arc::make_mut(&mut callee.options).queue = queue,
            Err(error) => callee.invalid = Some(error),
        }
        self
    }

    /// Sets when failed attempts are repeated: one [`Retry`], or several of which the first
    /// that matches a failure decides. Without it, no attempt is repeated.
    #[must_use]
    pub fn retry(mut self, retry: impl IntoRetries) -> Self {
        let callee = Arc::make_mut(&mut self.callee);
        Arc::make_mut(&mut callee.options).retry = retry.into_retries();
        self
    }

    /// Sets the longest time one attempt may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        let callee = Arc::make_mut(&mut self.callee);
        Arc::make_mut(&mut callee.options).set_timeout(timeout);
        self
    }

    pub(crate) fn callee(&self) -> &Callee {
        &self.callee
    }
}

impl<A: Args, T> TaskRef<A, T> {
    /// Calls the task; it is scheduled at once.
    pub fn call(&self, args: A) -> Call<T> {
        self.make(None, &args)
    }

    /// Calls the task under a name of its own instead of one made from its arguments.
    ///
    /// Calls are told apart by task and arguments. A key tells apart equal calls that branches
    /// of a `select!` make in any order, and keeps the identity of a call whose arguments
    /// differ on each replay. The same key again is a further call.
    pub fn call_keyed(&self, key: &str, args: A) -> Call<T> {
        self.make(Some(key), &args)
    }

    fn make(&self, key: Option<&str>, args: &A) -> Call<T> {
        let Callee { name, options, invalid } = &*self.callee;
        Call::make(What::Task(Arc::clone(name)), key, || {
            if let Some(error) = invalid {
                return Err(Error::from(error.clone()).retryable(false));
            }
            Ok(CallRequest::Task {
                name: Arc::clone(name),
                input: args.encode(name)?,
                options: Arc::clone(options),
            })
        })
    }
}

impl<A, T> Clone for TaskRef<A, T> {
    fn clone(&self) -> Self {
        Self { callee: Arc::clone(&self.callee), signature: PhantomData }
    }
}

impl<A, T> fmt::Debug for TaskRef<A, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRef")
            .field("name", &self.callee.name)
            .field("options", &self.callee.options)
            .finish_non_exhaustive()
    }
}

/// One retry policy, or several.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a retry policy",
    label = "expected a `Retry`, or an array or vector of them",
    note = "for example `Retry::attempts(3)`"
)]
pub trait IntoRetries {
    /// The policies, in the order in which they are asked.
    fn into_retries(self) -> Vec<Retry>;
}

impl IntoRetries for Retry {
    fn into_retries(self) -> Vec<Retry> {
        vec![self]
    }
}

impl IntoRetries for Vec<Retry> {
    fn into_retries(self) -> Vec<Retry> {
        self
    }
}

impl<const N: usize> IntoRetries for [Retry; N] {
    fn into_retries(self) -> Vec<Retry> {
        self.into()
    }
}
