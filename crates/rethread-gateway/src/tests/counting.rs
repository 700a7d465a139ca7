//! A storage that counts what is read of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use rethread_storage::memory::MemoryStorage;
use rethread_storage::testing::{Tamper, Tampered};
use rethread_storage::{ItemName, ItemRecord, Result, Storage};

use super::bench::Bench;
use crate::GatewayOptions;

/// Counts the records that scans give.
#[derive(Debug)]
pub(crate) struct Counting {
    storage: Arc<MemoryStorage>,
    read: AtomicUsize,
}

#[async_trait]
impl Tamper for Counting {
    fn behind(&self) -> &dyn Storage {
        &*self.storage
    }

    async fn scan_items(
        &self,
        prefix: &[String],
        after: Option<&ItemName>,
        max: usize,
    ) -> Result<Vec<(ItemName, ItemRecord)>> {
        let found = self.storage.scan_items(prefix, after, max).await?;
        self.read.fetch_add(found.len(), Ordering::Relaxed);
        Ok(found)
    }
}

impl Counting {
    /// A gateway that sees its storage through it.
    pub(crate) async fn bench() -> (Bench, Arc<Self>) {
        let storage = Arc::new(MemoryStorage::new(2));
        let counting = Arc::new(Self { storage: storage.clone(), read: AtomicUsize::new(0) });
        let seen = Arc::new(Tampered::from(counting.clone()));
        (Bench::start_on(storage, seen, GatewayOptions::default()).await, counting)
    }

    /// How many were read since it was asked last.
    pub(crate) fn take(&self) -> usize {
        self.read.swap(0, Ordering::Relaxed)
    }
}
