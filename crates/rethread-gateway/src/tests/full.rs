use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use rethread_core::ids::{OpId, PartitionId};
use rethread_storage::memory::MemoryStorage;
use rethread_storage::testing::{Tamper, Tampered};
use rethread_storage::{ItemName, ItemRecord, Result, Storage, StorageError};
use serde_json::json;

use super::bench::{Answer, Bench};
use crate::GatewayOptions;

/// A storage that may have no room.
#[derive(Debug)]
struct Room {
    storage: Arc<MemoryStorage>,
    /// For items of the store, and for requests.
    is_full: (AtomicBool, AtomicBool),
}

fn full() -> StorageError {
    StorageError::Full { reason: "no space left on /secret/place".to_owned() }
}

#[async_trait]
impl Tamper for Room {
    fn behind(&self) -> &dyn Storage {
        &*self.storage
    }

    async fn put_item(&self, name: &ItemName, record: ItemRecord) -> Result<()> {
        match self.is_full.0.load(Ordering::Relaxed) {
            true => Err(full()),
            false => self.storage.put_item(name, record).await,
        }
    }

    async fn submit(&self, partition: PartitionId, op: OpId, message: Bytes) -> Result<()> {
        match self.is_full.1.load(Ordering::Relaxed) {
            true => Err(full()),
            false => self.storage.submit(partition, op, message).await,
        }
    }
}

#[track_caller]
fn assert_full(answer: Answer) {
    assert_eq!(answer.header("retry-after"), Some("5"));
    let refused = answer.expect(507);
    let detail = refused["detail"].as_str().expect("a text");
    assert!(detail.starts_with("the storage is full") && !detail.contains("secret"), "{detail}");
}

#[tokio::test]
async fn a_storage_without_room_is_told_as_such() {
    let storage = Arc::new(MemoryStorage::new(1));
    let room = Arc::new(Room { storage: storage.clone(), is_full: Default::default() });
    let seen = Arc::new(Tampered::from(room.clone()));
    let bench = Bench::start_on(storage, seen, GatewayOptions::default()).await;
    let thread = bench.thread().await;
    let runs = format!("/threads/{thread}/runs");
    let run = json!({ "assistant_id": "accumulate", "input": 1 });
    let put = json!({ "namespace": ["a"], "key": "k", "value": {} });

    room.is_full.1.store(true, Ordering::Relaxed);
    for path in ["", "/wait", "/stream"] {
        assert_full(bench.post(&format!("{runs}{path}"), run.clone()).await);
    }
    assert_full(bench.post("/runs/wait", run.clone()).await);
    assert_eq!(bench.get(&runs).await.expect(200), json!([]), "nothing was made");
    bench.put("/store/items", put.clone()).await.expect(204);

    room.is_full.0.store(true, Ordering::Relaxed);
    assert_full(bench.post("/threads", json!({})).await);
    assert_full(bench.post(&runs, run.clone()).await);
    assert_full(bench.put("/store/items", put.clone()).await);
    let patch = json!({ "metadata": { "a": 1 } });
    assert_full(bench.patch(&format!("/threads/{thread}"), patch).await);
    bench.get(&format!("/threads/{thread}")).await.expect(200);

    room.is_full.0.store(false, Ordering::Relaxed);
    room.is_full.1.store(false, Ordering::Relaxed);
    assert_eq!(bench.post(&format!("{runs}/wait"), run).await.expect(200), json!(0));
}
