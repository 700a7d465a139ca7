//! Long-term memory across threads, as bodies and clients use it.
//!
//! [`Store`] makes requests and reads replies; a [`StoreBackend`] carries them. Inside a run that
//! is the engine, outside it is a client.

mod backend;
mod filter;
mod item;
mod namespace;
mod reading;
mod request;
mod search;
mod writing;

use std::sync::Arc;

use rethread_core::store::StoreRequest;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use backend::{StoreBackend, StoreFuture};
pub use filter::Filter;
pub use item::Item;
pub use namespace::IntoNamespace;
pub use reading::Get;
pub use request::StoreCall;
pub use search::{ListNamespaces, StoreSearch};
pub use writing::Put;

use crate::awaited::What;
use crate::error::Result;
use crate::inject::Injected;
use crate::outside::current_scope;
use backend::Ambient;
use namespace::checked;

/// The store of the engine, from inside of a run.
///
/// What is written is there at once, for all threads, and is not undone by errors, pauses or
/// travels in time. In an entrypoint each request is a recorded call: a replay gives what it gave
/// the first time. In a task it is made at once.
///
/// A body can also ask for it with a parameter of type [`Store`]; outside of a run a client
/// gives one.
///
/// ```
/// # extern crate rethread_sdk as rethread;
/// use std::collections::BTreeMap;
///
/// use rethread::prelude::*;
///
/// type Profile = BTreeMap<String, String>;
///
/// #[entrypoint]
/// async fn remember((user, city): (String, String)) -> Result<Option<String>> {
///     let store = store()?;
///     let known = store.get::<Profile>(["users", &user], "profile").await?;
///     let mut profile = known.map(|item| item.value).unwrap_or_default();
///     let before = profile.insert("city".into(), city);
///     store.put(["users", &user], "profile", &profile).await?;
///     Ok(before)
/// }
/// ```
///
/// # Errors
/// Outside a run.
pub fn store() -> Result<Store> {
    current_scope(What::Store).map(|_| Store::new(Ambient))
}

/// Long-term memory across threads: items under keys in namespaces. Cheap to clone.
///
/// A namespace is one or more labels, from the general to the special, such as
/// `["users", "ada"]`. Labels are not empty and have no dots; the first one is not `langgraph`.
/// Where that does not hold, the error is of kind
/// [`kind::INVALID_NAMESPACE`](crate::kind::INVALID_NAMESPACE).
///
/// Requests are futures: nothing is asked until they are awaited.
#[derive(Debug, Clone)]
pub struct Store {
    backend: Arc<dyn StoreBackend>,
}

impl Store {
    /// A store that is reached through `backend`.
    pub fn new(backend: impl StoreBackend + 'static) -> Self {
        Self { backend: Arc::new(backend) }
    }

    /// Puts an item, replacing the one of the same name. Its value is something that serde
    /// writes as a map (a struct, a map, a JSON object); nothing (`()`, `None`, JSON `null`)
    /// removes the item.
    ///
    /// ```
    /// # extern crate rethread_sdk as rethread;
    /// use std::time::Duration;
    ///
    /// use rethread::prelude::*;
    ///
    /// #[task]
    /// async fn note(user: String, text: String) -> Result<()> {
    ///     let month = Duration::from_secs(30 * 24 * 3_600);
    ///     let key = random::<u64>()?.to_string();
    ///     store()?.put(["notes", &user], key, &json!({ "text": text })).ttl(month).await
    /// }
    /// ```
    pub fn put(
        &self,
        namespace: impl IntoNamespace,
        key: impl Into<String>,
        value: &(impl Serialize + ?Sized),
    ) -> Put {
        Put::new(Arc::clone(&self.backend), namespace, key.into(), value)
    }

    /// The item of this name, if there is one.
    pub fn get<T: DeserializeOwned>(
        &self,
        namespace: impl IntoNamespace,
        key: impl Into<String>,
    ) -> Get<T> {
        Get::new(Arc::clone(&self.backend), namespace, key.into())
    }

    /// Removes the item of this name; no error if there is none.
    pub fn delete(&self, namespace: impl IntoNamespace, key: impl Into<String>) -> StoreCall<()> {
        let request =
            checked(namespace).map(|namespace| StoreRequest::Delete { namespace, key: key.into() });
        StoreCall::new(Arc::clone(&self.backend), request, writing::done)
    }

    /// Begins a search in all namespaces that begin with `prefix`; `()` is the prefix of all.
    ///
    /// ```
    /// # extern crate rethread_sdk as rethread;
    /// use rethread::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct Person {
    ///     name: String,
    ///     age: u32,
    /// }
    ///
    /// #[task]
    /// async fn adults() -> Result<Vec<String>> {
    ///     let search = store()?.search(["people"]).filter("age", Filter::ge(18)).limit(100);
    ///     let people = search.items::<Person>().await?;
    ///     Ok(people.into_iter().map(|item| item.value.name).collect())
    /// }
    /// ```
    pub fn search(&self, prefix: impl IntoNamespace) -> StoreSearch {
        StoreSearch::new(Arc::clone(&self.backend), prefix.into_labels())
    }

    /// Lists namespaces that hold items, and those in which an item was looked for in vain: sorted,
    /// each once.
    ///
    /// ```
    /// # extern crate rethread_sdk as rethread;
    /// use rethread::prelude::*;
    ///
    /// #[task]
    /// async fn users() -> Result<Vec<String>> {
    ///     let namespaces = store()?.list_namespaces().prefix(["users", "*"]).max_depth(2).await?;
    ///     Ok(namespaces.into_iter().filter_map(|labels| labels.into_iter().nth(1)).collect())
    /// }
    /// ```
    pub fn list_namespaces(&self) -> ListNamespaces {
        ListNamespaces::new(Arc::clone(&self.backend))
    }
}

impl Injected for Store {
    fn inject() -> Result<Self> {
        store()
    }
}
