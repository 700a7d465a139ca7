use std::any::{Any, TypeId, type_name};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use rethread_core::failure::kind;

use crate::error::{Error, Result};
use crate::inject::Injected;
use crate::outside::current_scope;

/// Something that the program provides to its bodies: a pool of connections, a client, settings.
///
/// It is found by its type. It may be a trait object, if it was provided as one. A body can also
/// ask for it with a parameter: [`Dep`].
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use rethread::{Registry, prelude::*};
///
/// struct Model {
///     name: String,
/// }
///
/// #[task]
/// async fn ask(prompt: String) -> Result<String> {
///     let model = dep::<Model>()?;
///     Ok(format!("{}: {prompt}", model.name))
/// }
///
/// let model = Model { name: "echo".into() };
/// let registry = Registry::builder().task(ask::def()).provide(model).build()?;
/// # drop(registry);
/// # Ok::<(), rethread::RegistryError>(())
/// ```
///
/// # Errors
/// Outside a run, and when nothing of the type is provided ([`kind::NOT_PROVIDED`]).
pub fn dep<D: ?Sized + Send + Sync + 'static>() -> Result<Arc<D>> {
    let scope = current_scope("`dep`")?;
    let provided = scope.info().provided.as_ref().and_then(|any| any.downcast_ref::<Provided>());
    provided.and_then(Provided::get).ok_or_else(|| {
        let message = format!(
            "nothing of type `{}` is provided here: `provide` it where the program registers \
             its tasks and entrypoints",
            type_name::<D>()
        );
        Error::new(kind::NOT_PROVIDED, message).retryable(false)
    })
}

/// A parameter that [`entrypoint`](macro@crate::entrypoint) and [`task`](macro@crate::task) fill
/// with something that the program provides; see [`dep()`].
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use std::sync::Arc;
///
/// use rethread::{Registry, prelude::*};
///
/// trait Model: Send + Sync {
///     fn answer(&self, prompt: &str) -> String;
/// }
///
/// struct Echo;
///
/// impl Model for Echo {
///     fn answer(&self, prompt: &str) -> String {
///         prompt.to_owned()
///     }
/// }
///
/// #[task]
/// async fn ask(prompt: String, model: Dep<dyn Model>) -> Result<String> {
///     Ok(model.answer(&prompt))
/// }
///
/// #[entrypoint]
/// async fn chat(prompt: String) -> Result<String> {
///     ask(prompt).await
/// }
///
/// let model: Arc<dyn Model> = Arc::new(Echo);
/// let registry = Registry::builder().task(ask::def()).provide_shared(model).build()?;
/// # drop(registry);
/// # Ok::<(), rethread::RegistryError>(())
/// ```
pub struct Dep<D: ?Sized>(Arc<D>);

impl<D: ?Sized> Dep<D> {
    /// The shared value.
    pub fn into_inner(self) -> Arc<D> {
        self.0
    }
}

impl<D: ?Sized> Deref for Dep<D> {
    type Target = D;

    fn deref(&self) -> &D {
        &self.0
    }
}

impl<D: ?Sized> Clone for Dep<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: ?Sized> fmt::Debug for Dep<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dep<{}>", type_name::<D>())
    }
}

impl<D: ?Sized + Send + Sync + 'static> Injected for Dep<D> {
    fn inject() -> Result<Self> {
        dep().map(Self)
    }
}

/// Everything that a program provides, by type.
#[derive(Clone, Default)]
pub(crate) struct Provided {
    /// For a type `D` an `Arc<D>`, which is sized also where `D` is not.
    values: BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl Provided {
    /// Adds a value; says whether there was none of its type.
    pub(crate) fn add<D: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<D>) -> bool {
        self.values.insert(TypeId::of::<D>(), Arc::new(value)).is_none()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn get<D: ?Sized + Send + Sync + 'static>(&self) -> Option<Arc<D>> {
        self.values.get(&TypeId::of::<D>())?.downcast_ref::<Arc<D>>().cloned()
    }
}

impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values", self.values.len())
    }
}
