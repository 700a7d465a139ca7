use std::sync::Arc;
use std::time::Duration;

use rethread_core::failure::kind;
use rethread_core::payload::Payload;
use rethread_core::store::{Namespace, StoreReply, StoreRequest};
use serde::Serialize;

use crate::error::{Error, Result};
use crate::store::backend::StoreBackend;
use crate::store::namespace::{IntoNamespace, checked};
use crate::store::request::{StoreCall, awaits_its_call, unexpected};

/// The request to put an item: a future. See [`Store::put`](crate::Store::put).
///
/// # Errors
/// When awaited: for a bad namespace, a value that is no map, and what the storage says.
#[derive(Debug)]
#[must_use = "nothing is put until it is awaited"]
pub struct Put(StoreCall<()>);

impl Put {
    pub(super) fn new(
        backend: Arc<dyn StoreBackend>,
        namespace: impl IntoNamespace,
        key: String,
        value: &(impl Serialize + ?Sized),
    ) -> Self {
        let request = checked(namespace).and_then(|namespace| request(namespace, key, value));
        Self(StoreCall::new(backend, request, done))
    }

    /// Sets how long the item lives, from now and, unless a reader says otherwise, from each time
    /// it is read. Without it, for ever. Refused: less than 1 ms.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        let ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        self.0.change(|request| {
            if ms == 0 {
                let message = "an item lives for at least 1 ms; delete it instead";
                return Err(Error::new(kind::STORE, message).retryable(false));
            }
            if let StoreRequest::Put { ttl_ms, .. } = request {
                *ttl_ms = Some(ms);
            }
            Ok(())
        });
        self
    }

    /// Sets whether searches by text can find it, if the store has an index. Default true.
    pub fn index(mut self, index: bool) -> Self {
        self.0.change(|request| {
            if let StoreRequest::Put { is_indexed, .. } = request {
                *is_indexed = index;
            }
            Ok(())
        });
        self
    }
}

awaits_its_call!(Put, ());

fn request(
    namespace: Namespace,
    key: String,
    value: &(impl Serialize + ?Sized),
) -> Result<StoreRequest> {
    let value = Payload::encode(value, format_args!("value of item `{key}` in `{namespace}`"))?;
    if value.is_null() {
        return Ok(StoreRequest::Delete { namespace, key });
    }
    if !is_map(&value) {
        let message = format!(
            "the value of item `{key}` in `{namespace}` is no map: put a struct, a map or a JSON \
             object"
        );
        return Err(Error::new(kind::SERIALIZATION, message).retryable(false));
    }
    Ok(StoreRequest::Put { namespace, key, value, ttl_ms: None, is_indexed: true })
}

/// Whether the value is a map, by its MessagePack marker.
fn is_map(value: &Payload) -> bool {
    matches!(value.as_bytes().first(), Some(0x80..=0x8f | 0xde | 0xdf))
}

pub(super) fn done(reply: StoreReply) -> Result<()> {
    match reply {
        StoreReply::Done => Ok(()),
        other => unexpected(&other),
    }
}
