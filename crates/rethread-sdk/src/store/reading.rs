use std::sync::Arc;

use rethread_core::store::{StoreReply, StoreRequest};
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::store::backend::StoreBackend;
use crate::store::item::Item;
use crate::store::namespace::{IntoNamespace, checked};
use crate::store::request::{StoreCall, awaits_its_call, unexpected};

/// The request for one item: a future of it, or of none. See [`Store::get`](crate::Store::get).
///
/// # Errors
/// When awaited: for a bad namespace, when the value is not a `T`, and what the storage says.
#[derive(Debug)]
#[must_use = "nothing is asked until it is awaited"]
pub struct Get<T>(StoreCall<Option<Item<T>>>);

impl<T: DeserializeOwned> Get<T> {
    pub(super) fn new(
        backend: Arc<dyn StoreBackend>,
        namespace: impl IntoNamespace,
        key: String,
    ) -> Self {
        let request = checked(namespace).map(|namespace| StoreRequest::Get {
            namespace,
            key,
            refresh_ttl: true,
        });
        Self(StoreCall::new(backend, request, item))
    }

    /// Sets whether the item's time to live begins anew. Default true.
    pub fn refresh_ttl(mut self, refresh: bool) -> Self {
        self.0.change(|request| {
            if let StoreRequest::Get { refresh_ttl, .. } = request {
                *refresh_ttl = refresh;
            }
            Ok(())
        });
        self
    }
}

awaits_its_call!(Get<T>, Option<Item<T>>);

fn item<T: DeserializeOwned>(reply: StoreReply) -> Result<Option<Item<T>>> {
    match reply {
        StoreReply::Item(item) => item.map(|item| Item::read(*item)).transpose(),
        other => unexpected(&other),
    }
}
