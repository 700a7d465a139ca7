use std::time::SystemTime;

use rethread_core::store;
use serde::de::DeserializeOwned;

use crate::context::system_time;
use crate::error::Result;

/// One thing that the store remembers.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Item<T> {
    /// Where it lives.
    pub namespace: Vec<String>,
    /// Its name there.
    pub key: String,
    /// What is remembered.
    pub value: T,
    /// When it was first put.
    pub created_at: SystemTime,
    /// When it was put last.
    pub updated_at: SystemTime,
    /// How near it is to the query of a search, greater is nearer; none without a query.
    pub score: Option<f32>,
}

impl<T: DeserializeOwned> Item<T> {
    pub(super) fn read(item: store::Item) -> Result<Self> {
        let store::Item { namespace, key, value, created_at, updated_at, score } = item;
        let value = value.decode(format_args!("value of item `{key}` in `{namespace}`"))?;
        Ok(Self {
            namespace: namespace.into(),
            key,
            value,
            created_at: system_time(created_at)?,
            updated_at: system_time(updated_at)?,
            score,
        })
    }
}
