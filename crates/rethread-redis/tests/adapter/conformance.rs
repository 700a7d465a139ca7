//! The suite of the port.

use std::sync::Arc;

use rethread_redis::RedisStorage;
use rethread_redis::testing::RedisServer;
use rethread_storage::Storage;
use rethread_storage::conformance::INBOX_MAX;

use crate::support::Space;

async fn storage() -> (Arc<dyn Storage>, Arc<RedisServer>) {
    let space = Space::new().await;
    let mut options = space.options();
    options.inbox_max = INBOX_MAX;
    let storage = RedisStorage::connect(options).await.expect("connects");
    (Arc::new(storage), space.server)
}

rethread_storage::conformance_suite!(storage);
