//! The suite of the port.

use std::sync::Arc;

use rethread_redis::testing::RedisServer;
use rethread_storage::Storage;

use crate::support::Space;

async fn storage() -> (Arc<dyn Storage>, Arc<RedisServer>) {
    let space = Space::new().await;
    (Arc::new(space.storage), space.server)
}

rethread_storage::conformance_suite!(storage);
