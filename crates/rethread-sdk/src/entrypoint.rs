use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use rethread_core::failure::Failure;
use rethread_core::payload::{Payload, PayloadError};
use rethread_core::policy::{Cache, EntrypointOptions, History, Timeouts};
use rethread_core::replay::BodyFuture;

use crate::call::Call;
use crate::entrypoint_ref::EntrypointRef;
use crate::options::{OptionError, note, set_timeout};
use crate::retry::{IntoRetries, Policies, Predicates};
use crate::returns::EntrypointReturns;
use crate::schemas::Schemas;
use crate::steps::Steps;
use crate::value::Value;

/// An entrypoint with its code: what [`entrypoint`](macro@crate::entrypoint) makes, and what a
/// coordinator registers.
///
/// `I` is its input, `O` its result. It is cheap to clone.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use std::time::Duration;
///
/// use rethread::prelude::*;
///
/// let greet = Entrypoint::new("greet", |name: String| async move {
///     Ok::<_, Error>(format!("hello {name}"))
/// })
/// .retry(Retry::attempts(2))
/// .timeout(Duration::from_secs(60));
/// assert_eq!(greet.name(), "greet");
/// ```
pub struct Entrypoint<I, O> {
    reference: EntrypointRef<I, O>,
    def: EntrypointDef,
}

/// An entrypoint without its types, as a coordinator runs it. Cheap to clone.
#[derive(Clone)]
pub(crate) struct EntrypointDef {
    options: Arc<EntrypointOptions>,
    predicates: Predicates,
    cache_key: Option<Arc<CacheKeyOfInput>>,
    schemas: Arc<Schemas>,
    invalid: Option<OptionError>,
    start: Arc<StartEntrypoint>,
    /// For one that is a graph.
    steps: Option<Arc<dyn Steps>>,
}

type StartEntrypoint = dyn Fn(&Payload) -> Result<BodyFuture, PayloadError> + Send + Sync;

/// None for what is no input of the entrypoint: it is refused when the body is to start.
type CacheKeyOfInput = dyn Fn(&Payload) -> Option<String> + Send + Sync;

impl<I, O> Entrypoint<I, O> {
    /// An entrypoint of this name whose body is an async function of one owned input, returning
    /// `Result<O>` or `Result<Final<O, S>>`.
    ///
    /// The name is recorded with each run: renaming the entrypoint orphans runs in progress.
    pub fn new<F, Fut, Form>(name: impl AsRef<str>, body: F) -> Self
    where
        I: Value,
        O: Value,
        F: Fn(I) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: EntrypointReturns<Form, Value = O>,
    {
        let reference = EntrypointRef::named(name);
        let name = reference.shared_name();
        let body = Arc::new(body);
        let start = move |input: &Payload| -> Result<BodyFuture, PayloadError> {
            let input: I = input.decode(format_args!("input of entrypoint `{name}`"))?;
            let (name, body) = (Arc::clone(&name), Arc::clone(&body));
            Ok(Box::pin(async move { body(input).await.into_output(&name) }))
        };
        let def = EntrypointDef {
            options: Arc::default(),
            predicates: Predicates::default(),
            cache_key: None,
            schemas: Arc::default(),
            invalid: None,
            start: Arc::new(start),
            steps: None,
        };
        Self { reference, def }
    }

    /// A graph: an entrypoint whose body takes its recorded input as it is and makes steps. It is
    /// begun with a null input where it goes on.
    #[doc(hidden)]
    pub fn from_steps(
        name: impl AsRef<str>,
        start: impl Fn(&Payload) -> Result<BodyFuture, PayloadError> + Send + Sync + 'static,
        outputs: Option<Vec<String>>,
        steps: Arc<dyn Steps>,
    ) -> Self {
        let def = EntrypointDef {
            options: Arc::new(EntrypointOptions { outputs, ..EntrypointOptions::default() }),
            predicates: Predicates::default(),
            cache_key: None,
            schemas: Arc::default(),
            invalid: None,
            start: Arc::new(start),
            steps: Some(steps),
        };
        Self { reference: EntrypointRef::named(name), def }
    }

    /// Calls it as a child of the running body; see [`EntrypointRef::call`].
    pub fn call(&self, input: I) -> Call<O>
    where
        I: Value,
    {
        self.reference.call(input)
    }

    /// Calls it under a key of its own; see [`EntrypointRef::call_keyed`].
    pub fn call_keyed(&self, key: &str, input: I) -> Call<O>
    where
        I: Value,
    {
        self.reference.call_keyed(key, input)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.reference.name()
    }

    /// The entrypoint without its code: what a client needs of it.
    pub fn reference(&self) -> EntrypointRef<I, O> {
        self.reference.clone()
    }

    /// Sets when failed attempts of its body are repeated, from its start: one
    /// [`Retry`](crate::Retry), or several of which the first that matches a failure decides.
    /// Tasks that it calls and that have none of their own are repeated by them too.
    ///
    /// What it refuses is an error of the registry. So it is with the other methods.
    #[must_use]
    pub fn retry(mut self, retry: impl IntoRetries) -> Self {
        let policies = Policies::new(retry);
        self.def.predicates = policies.predicates.clone();
        self.set(|options| {
            let checked = policies.check();
            options.retry = policies.recorded;
            checked
        })
    }

    /// Sets the longest time one attempt of its body may take, waiting included. Refused: less
    /// than 1 ms.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|options| set_timeout(&mut options.timeouts, Timeouts::set_run, timeout))
    }

    /// Sets the longest time one attempt of its body may be silent: without an event, a call,
    /// news of a call, or a [`heartbeat`](crate::heartbeat()). Refused: less than 1 ms.
    #[must_use]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.set(|options| set_timeout(&mut options.timeouts, Timeouts::set_idle, timeout))
    }

    /// Sets that results are kept and reused by runs with an equal input, on all threads. The
    /// saved value plays no part. Tasks that it calls and that have no cache of their own are
    /// cached likewise.
    #[must_use]
    pub fn cache(self, cache: Cache) -> Self {
        self.set(|options| {
            options.cache = Some(cache);
            OptionError::of_cache(cache)
        })
    }

    /// Sets what equal inputs are: those that give the same text. Without it: those that are
    /// equal and of the same [`Entrypoint::version`].
    ///
    /// It has no effect without a cache. If it panics, the input itself is the key.
    #[must_use]
    pub fn cache_key(mut self, key: impl Fn(&I) -> String + Send + Sync + 'static) -> Self
    where
        I: Value,
    {
        let key = move |input: &Payload| {
            let made = catch_unwind(AssertUnwindSafe(|| input.decode("input").map(|i| key(&i))));
            made.ok().and_then(Result::ok)
        };
        self.def.cache_key = Some(Arc::new(key));
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

    /// Sets what it keeps of its runs when another entrypoint or a task calls it. At the root of
    /// a thread it makes no difference.
    #[must_use]
    pub fn history(self, history: History) -> Self {
        self.set(|options| {
            options.history = history;
            Ok(())
        })
    }

    /// Publishes JSON Schemas of input and result, which those see who start it over HTTP:
    /// clients and user interfaces that do not have its types. Needs the feature `schemas`.
    ///
    /// It is a choice since it asks [`JsonSchema`](schemars::JsonSchema) of the types.
    #[cfg(feature = "schemas")]
    #[must_use]
    pub fn schema(self) -> Self
    where
        I: schemars::JsonSchema,
        O: schemars::JsonSchema,
    {
        self.schema_as::<I, O>()
    }

    /// Publishes JSON Schemas of types that have the form of input and result.
    #[cfg(feature = "schemas")]
    #[doc(hidden)]
    #[must_use]
    pub fn schema_as<In: schemars::JsonSchema, Out: schemars::JsonSchema>(mut self) -> Self {
        let schemas = Arc::make_mut(&mut self.def.schemas);
        schemas.input = Some(crate::schemas::read_as::<In>());
        schemas.output = Some(crate::schemas::written_as::<Out>());
        self
    }

    /// Publishes a JSON Schema of what it asks people: of a question, or of an enum of all of
    /// them. Needs the feature `schemas`.
    #[cfg(feature = "schemas")]
    #[must_use]
    pub fn interrupt_schema<Q: schemars::JsonSchema>(mut self) -> Self {
        let schemas = Arc::make_mut(&mut self.def.schemas);
        schemas.interrupt = Some(crate::schemas::written_as::<Q>());
        self
    }

    pub(crate) fn into_parts(self) -> (Arc<str>, EntrypointDef) {
        (self.reference.shared_name(), self.def)
    }

    fn set(mut self, set: impl FnOnce(&mut EntrypointOptions) -> Result<(), OptionError>) -> Self {
        let checked = set(Arc::make_mut(&mut self.def.options));
        note(&mut self.def.invalid, checked);
        self
    }
}

impl EntrypointDef {
    pub(crate) fn start(&self, input: &Payload) -> Result<BodyFuture, PayloadError> {
        (self.start)(input)
    }

    pub(crate) fn options(&self) -> &EntrypointOptions {
        &self.options
    }

    pub(crate) fn retries(&self, policy: usize, failure: &Failure) -> bool {
        self.predicates.says(policy, failure)
    }

    pub(crate) fn cache_key(&self, input: &Payload) -> Option<String> {
        self.cache_key.as_ref().and_then(|key| key(input))
    }

    pub(crate) fn schemas(&self) -> &Schemas {
        &self.schemas
    }

    pub(crate) fn invalid(&self) -> Option<&OptionError> {
        self.invalid.as_ref()
    }

    pub(crate) fn steps(&self) -> Option<&Arc<dyn Steps>> {
        self.steps.as_ref()
    }

    /// Whether both are the same graph.
    pub(crate) fn is_same_graph(&self, other: &Self) -> bool {
        match (&self.steps, &other.steps) {
            (Some(own), Some(other)) => std::ptr::addr_eq(Arc::as_ptr(own), Arc::as_ptr(other)),
            _ => false,
        }
    }
}

impl<I, O> Clone for Entrypoint<I, O> {
    fn clone(&self) -> Self {
        Self { reference: self.reference.clone(), def: self.def.clone() }
    }
}

impl<I, O> fmt::Debug for Entrypoint<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entrypoint")
            .field("name", &self.name())
            .field("options", &self.def.options)
            .finish_non_exhaustive()
    }
}

impl<I, O> From<Entrypoint<I, O>> for EntrypointRef<I, O> {
    fn from(entrypoint: Entrypoint<I, O>) -> Self {
        entrypoint.reference
    }
}

impl<I, O> From<&Entrypoint<I, O>> for EntrypointRef<I, O> {
    fn from(entrypoint: &Entrypoint<I, O>) -> Self {
        entrypoint.reference()
    }
}
