//! A namespace that is spread over the three nodes of a Redis Cluster: the suite of the port, and
//! what is special to clusters.

mod routing;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rethread_redis::testing::RedisCluster;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::Storage;
use rethread_storage::conformance::INBOX_MAX;

static NEXT: AtomicU64 = AtomicU64::new(1);

fn fresh(cluster: &RedisCluster) -> RedisOptions {
    let namespace = format!("test {}", NEXT.fetch_add(1, Ordering::Relaxed));
    RedisOptions::new(cluster.url()).namespace(namespace).partitions(4)
}

async fn storage() -> (Arc<dyn Storage>, Arc<RedisCluster>) {
    let cluster = RedisCluster::shared();
    let mut options = fresh(&cluster);
    options.inbox_max = INBOX_MAX;
    let storage = RedisStorage::connect(options).await.expect("connects");
    (Arc::new(storage), cluster)
}

rethread_storage::conformance_suite!(storage);
