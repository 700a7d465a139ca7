use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use rethread_core::payload::Payload;
use rethread_core::replay::CallRequest;

use crate::awaited::What;
use crate::call::Call;
use crate::value::Value;

/// An entrypoint by its name and types, without its code.
///
/// What takes one takes `impl Into<EntrypointRef<I, O>>`, so that an
/// [`Entrypoint`](crate::Entrypoint) does as well.
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

    pub(crate) fn shared_name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }
}

impl<I: Value, O> EntrypointRef<I, O> {
    /// Calls it as a child of the running body, on the same thread; it starts at once.
    ///
    /// The caller gets the value of a [`Final`](crate::Final).
    pub fn call(&self, input: I) -> Call<O> {
        self.make(None, &input)
    }

    /// Calls it under a name of its own instead of one made from its input; see
    /// [`TaskRef::call_keyed`](crate::TaskRef::call_keyed).
    pub fn call_keyed(&self, key: &str, input: I) -> Call<O> {
        self.make(Some(key), &input)
    }

    fn make(&self, key: Option<&str>, input: &I) -> Call<O> {
        let name = &self.name;
        Call::make(What::Entrypoint(Arc::clone(name)), key, || {
            let input = Payload::encode(input, format_args!("input of entrypoint `{name}`"))?;
            Ok(CallRequest::Entrypoint { name: Arc::clone(name), input, node: None })
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

impl<I, O> From<&EntrypointRef<I, O>> for EntrypointRef<I, O> {
    fn from(reference: &EntrypointRef<I, O>) -> Self {
        reference.clone()
    }
}
