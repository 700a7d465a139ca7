//! The stored form of an item.

use bytes::Bytes;
use rethread_core::ids::Millis;
use rethread_core::payload::Payload;
use rethread_core::record::{Record, kind};
use serde::{Deserialize, Serialize};

use super::StoreFailure;
use crate::ItemName;

/// What is stored under the name of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredItem {
    pub(super) value: Payload,
    pub(super) created_at: Millis,
    pub(super) updated_at: Millis,
    /// How long it lives, counted from when it was put or read last.
    pub(super) ttl_ms: Option<u64>,
    /// What the index has made of it; see `index`.
    pub(super) vectors: Vec<Bytes>,
}

impl Record for StoredItem {
    const KIND: u8 = kind::ITEM;
}

impl StoredItem {
    pub(super) fn read(name: &ItemName, record: &[u8]) -> Result<Self, StoreFailure> {
        Self::from_record(record).map_err(|reason| StoreFailure::Item {
            namespace: name.namespace.clone(),
            key: name.key.clone(),
            reason,
        })
    }
}
