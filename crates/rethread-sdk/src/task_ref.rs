use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::QueueName;
use rethread_core::policy::{Cache, TaskOptions, Timeouts};
use rethread_core::replay::CallRequest;

use crate::args::Args;
use crate::awaited::What;
use crate::call::Call;
use crate::error::Error;
use crate::options::{OptionError, note, set_timeout};
use crate::retry::{IntoRetries, Policies};

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
    cache_key: Option<Arc<CacheKey<A>>>,
    signature: PhantomData<fn(A) -> T>,
}

/// Makes the cache key of arguments or an input.
pub(crate) type CacheKey<A> = dyn Fn(&A) -> String + Send + Sync;

#[derive(Debug, Clone)]
pub(crate) struct Callee {
    pub(crate) name: Arc<str>,
    pub(crate) options: Arc<TaskOptions>,
    /// Why it cannot be called, if a builder method was given what it cannot take.
    pub(crate) invalid: Option<OptionError>,
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
            cache_key: None,
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
    /// and of the registry. So is what the other methods refuse.
    #[must_use]
    pub fn queue(self, queue: impl AsRef<str>) -> Self {
        self.set(|options| {
            options.queue = QueueName::new(queue).map_err(OptionError::Queue)?;
            Ok(())
        })
    }

    /// Sets when failed attempts are repeated: one [`Retry`](crate::Retry), or several of which
    /// the first that matches a failure decides. Without it, those of the entrypoint count that
    /// the task runs in.
    ///
    /// A predicate is code and is asked where the code of the task is. Here a policy says
    /// [`RetryOn::When`](crate::RetryOn::When), which asks the predicate of the policy of the
    /// same number that the task itself has.
    #[must_use]
    pub fn retry(self, retry: impl IntoRetries) -> Self {
        let policies = Policies::new(retry);
        let checked = policies.check_without_code();
        self.policies(policies, checked)
    }

    /// Sets the longest time one attempt may take. Refused: less than 1 ms.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|options| set_timeout(&mut options.timeouts, Timeouts::set_run, timeout))
    }

    /// Sets the longest time one attempt may be silent: without an event, a call, news of a
    /// call, or a [`heartbeat`](crate::heartbeat()). Refused: less than 1 ms.
    #[must_use]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.set(|options| set_timeout(&mut options.timeouts, Timeouts::set_idle, timeout))
    }

    /// Sets that results are kept and reused by equal calls of all runs.
    #[must_use]
    pub fn cache(self, cache: Cache) -> Self {
        self.set(|options| {
            options.cache = Some(cache);
            OptionError::of_cache(cache)
        })
    }

    /// Sets what equal calls are: those whose arguments give the same text. Without it: those
    /// with equal arguments and the same [`TaskRef::version`].
    ///
    /// It has no effect without a cache.
    #[must_use]
    pub fn cache_key(mut self, key: impl Fn(&A) -> String + Send + Sync + 'static) -> Self {
        self.cache_key = Some(Arc::new(key));
        self
    }

    /// Sets the version of the code: a new one does not find what the cache has of the old one.
    #[must_use]
    pub fn version(self, version: impl Into<String>) -> Self {
        self.set(|options| {
            options.version = Some(version.into());
            Ok(())
        })
    }

    pub(crate) fn policies(self, policies: Policies, checked: Result<(), OptionError>) -> Self {
        self.set(|options| {
            options.retry = policies.recorded;
            checked
        })
    }

    /// The same under another name.
    pub(crate) fn renamed(&self, name: impl AsRef<str>) -> Self {
        let mut renamed = self.clone();
        Arc::make_mut(&mut renamed.callee).name = Arc::from(name.as_ref());
        renamed
    }

    pub(crate) fn uncached(self) -> Self {
        self.set(|options| {
            options.cache = None;
            Ok(())
        })
    }

    pub(crate) fn callee(&self) -> &Callee {
        &self.callee
    }

    fn set(mut self, set: impl FnOnce(&mut TaskOptions) -> Result<(), OptionError>) -> Self {
        let callee = Arc::make_mut(&mut self.callee);
        let checked = set(Arc::make_mut(&mut callee.options));
        note(&mut callee.invalid, checked);
        self
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
                let message = format!("task `{name}`: {error}");
                return Err(Error::new("OptionError", message).retryable(false));
            }
            Ok(CallRequest::Task {
                name: Arc::clone(name),
                input: args.encode(name)?,
                options: Arc::clone(options),
                cache_key: self.cache_key.as_ref().map(|key| Arc::from(key(args))),
                node: None,
            })
        })
    }
}

impl<A, T> Clone for TaskRef<A, T> {
    fn clone(&self) -> Self {
        Self {
            callee: Arc::clone(&self.callee),
            cache_key: self.cache_key.clone(),
            signature: PhantomData,
        }
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
