use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use rethread_core::payload::{Payload, PayloadError};
use rethread_core::replay::{BodyFuture, CallRequest};

use crate::awaited::What;
use crate::call::Call;
use crate::returns::EntrypointReturns;
use crate::value::Value;

/// An entrypoint with its code: what [`entrypoint`](macro@crate::entrypoint) makes, and what a
/// coordinator registers.
///
/// `I` is its input, `O` its result. It is cheap to clone.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::prelude::*;
///
/// let greet = Entrypoint::new("greet", |name: String| async move {
///     Ok::<_, Error>(format!("hello {name}"))
/// });
/// assert_eq!(greet.name(), "greet");
/// ```
pub struct Entrypoint<I, O> {
    reference: EntrypointRef<I, O>,
    start: Arc<StartEntrypoint>,
}

pub(crate) type StartEntrypoint =
    dyn Fn(&Payload) -> Result<BodyFuture, PayloadError> + Send + Sync;

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
        let name = Arc::clone(&reference.name);
        let body = Arc::new(body);
        let start = move |input: &Payload| -> Result<BodyFuture, PayloadError> {
            let input: I = input.decode(format_args!("input of entrypoint `{name}`"))?;
            let (name, body) = (Arc::clone(&name), Arc::clone(&body));
            Ok(Box::pin(async move { body(input).await.into_output(&name) }))
        };
        Self { reference, start: Arc::new(start) }
    }

    /// Calls it as a child of the running body; see [`EntrypointRef::call`].
    pub fn call(&self, input: I) -> Call<O>
    where
        I: Value,
    {
        self.reference.call(input)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.reference.name
    }

    /// The entrypoint without its code: what a client needs of it.
    pub fn reference(&self) -> EntrypointRef<I, O> {
        self.reference.clone()
    }

    pub(crate) fn into_parts(self) -> (Arc<str>, Arc<StartEntrypoint>) {
        (self.reference.name, self.start)
    }
}

impl<I, O> Clone for Entrypoint<I, O> {
    fn clone(&self) -> Self {
        Self { reference: self.reference.clone(), start: Arc::clone(&self.start) }
    }
}

impl<I, O> fmt::Debug for Entrypoint<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entrypoint").field(&self.reference.name).finish()
    }
}

/// An entrypoint by its name and types, without its code.
///
/// What takes one takes `impl Into<EntrypointRef<I, O>>`, so that an [`Entrypoint`] does as well.
///
/// ```
/// use rethread_sdk::EntrypointRef;
///
/// let greet = EntrypointRef::<String, String>::named("greet");
/// assert_eq!(greet.name(), "greet");
/// ```
pub struct EntrypointRef<I, O> {
    name: Arc<str>,
    signature: PhantomData<fn(I) -> O>,
}

impl<I, O> EntrypointRef<I, O> {
    /// The entrypoint of this name.
    pub fn named(name: impl AsRef<str>) -> Self {
        Self { name: Arc::from(name.as_ref()), signature: PhantomData }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<I: Value, O> EntrypointRef<I, O> {
    /// Calls it as a child of the running body, on the same thread; it starts at once.
    ///
    /// The caller gets the value of a [`Final`](crate::Final).
    pub fn call(&self, input: I) -> Call<O> {
        let name = &self.name;
        Call::make(What::Entrypoint(Arc::clone(name)), None, || {
            let input = Payload::encode(&input, format_args!("input of entrypoint `{name}`"))?;
            Ok(CallRequest::Entrypoint { name: Arc::clone(name), input })
        })
    }
}

impl<I, O> Clone for EntrypointRef<I, O> {
    fn clone(&self) -> Self {
        Self { name: Arc::clone(&self.name), signature: PhantomData }
    }
}

impl<I, O> fmt::Debug for EntrypointRef<I, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("EntrypointRef").field(&self.name).finish()
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

impl<I, O> From<&EntrypointRef<I, O>> for EntrypointRef<I, O> {
    fn from(reference: &EntrypointRef<I, O>) -> Self {
        reference.clone()
    }
}
