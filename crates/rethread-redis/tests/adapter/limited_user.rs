//! The suite of the port, as a user with no more rights than are needed.

use std::sync::Arc;

use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::conformance::INBOX_MAX;
use rethread_storage::{Storage, StorageError};

use crate::support::{Space, unique};

const RULES: [&str; 7] = ["on", ">secret", "~rt:*", "&rt:*", "+@all", "-@dangerous", "+info"];

async fn options() -> (RedisOptions, Arc<RedisServer>) {
    let server = RedisServer::shared();
    let client = redis::Client::open(server.url()).expect("a url");
    let mut raw = client.get_multiplexed_async_connection().await.expect("connects");
    let mut set = redis::cmd("ACL");
    set.arg("SETUSER").arg("limited").arg(&RULES);
    let _: redis::Value = set.query_async(&mut raw).await.expect("sets");
    let url = format!("redis://limited:secret@127.0.0.1:{}/", server.port());
    (RedisOptions::new(url).namespace(format!("limited {}", unique())).partitions(4), server)
}

async fn storage() -> (Arc<dyn Storage>, Arc<RedisServer>) {
    let (mut options, server) = options().await;
    options.inbox_max = INBOX_MAX;
    (Arc::new(RedisStorage::connect(options).await.expect("connects")), server)
}

#[tokio::test]
async fn a_user_without_rights_is_a_matter_of_configuration() {
    let space = Space::new().await;
    let mut raw = space.raw().await;
    let mut set = redis::cmd("ACL");
    set.arg("SETUSER").arg("stranger").arg(&["on", ">secret", "~other:*", "+@all"]);
    let _: redis::Value = set.query_async(&mut raw).await.expect("sets");
    let url = format!("redis://stranger:secret@127.0.0.1:{}/", space.server.port());
    let error = RedisStorage::connect(RedisOptions::new(url)).await.expect_err("refused");
    assert!(matches!(error, StorageError::Config { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

rethread_storage::conformance_suite!(storage);
