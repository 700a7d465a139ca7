//! What is checked before a namespace is used.

use std::net::TcpListener;

use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{Durability, Storage, StorageError};

use crate::support::Space;

#[tokio::test]
async fn an_unreachable_server_is_named_without_its_password() {
    let free = TcpListener::bind("127.0.0.1:0").expect("binds");
    let port = free.local_addr().expect("has an address").port();
    drop(free);
    let options = RedisOptions::new(format!("redis://user:secret@127.0.0.1:{port}/"));
    assert!(!format!("{options:?}").contains("secret"));
    let error = RedisStorage::connect(options).await.expect_err("nothing listens");
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&format!("127.0.0.1:{port}")) && text.contains("start the server"),
        "{text}"
    );
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn a_url_that_cannot_be_read_is_not_shown() {
    let error = RedisStorage::connect(RedisOptions::new("http://user:secret@host"))
        .await
        .expect_err("not a url of Redis");
    assert!(matches!(error, StorageError::Config { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn a_server_that_may_evict_is_refused() {
    let server = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let error = RedisStorage::connect(RedisOptions::new(server.url())).await.expect_err("evicts");
    assert!(matches!(error, StorageError::Config { .. }), "{error}");
    assert!(error.to_string().contains("maxmemory-policy noeviction"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_is_a_matter_of_configuration() {
    let server = RedisServer::start();
    let url = format!("redis://nobody:secret@127.0.0.1:{}/", server.port());
    let error = RedisStorage::connect(RedisOptions::new(url)).await.expect_err("refused");
    assert!(matches!(error, StorageError::Config { .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn durability_follows_the_append_only_file() {
    let space = Space::new().await;
    assert_eq!(space.storage.durability(), Durability::Process);
    let without = RedisServer::start_with(&["--appendonly", "no"]);
    let storage = RedisStorage::connect(RedisOptions::new(without.url())).await.expect("connects");
    assert_eq!(storage.durability(), Durability::Volatile);
    assert_eq!(storage.partitions(), RedisOptions::PARTITIONS_DEFAULT);
    // A restart of the primary empties its replicas too.
    let mut options = RedisOptions::new(without.url());
    options.replicas = 1;
    let storage = RedisStorage::connect(options).await.expect("connects");
    assert_eq!(storage.durability(), Durability::Volatile);
}

#[tokio::test]
async fn the_number_of_partitions_is_fixed_at_creation() {
    let space = Space::new().await;
    let again = RedisStorage::connect(space.options()).await.expect("takes the stored number");
    assert_eq!(again.partitions(), 4);
    let same = RedisStorage::connect(space.options().partitions(4)).await;
    assert!(same.is_ok());
    let other = RedisStorage::connect(space.options().partitions(8)).await.expect_err("conflicts");
    assert!(matches!(other, StorageError::Config { .. }), "{other}");
    assert!(other.to_string().contains("4 partitions, not 8"), "{other}");
    let none = RedisStorage::connect(space.options().partitions(0)).await;
    assert!(matches!(none, Err(StorageError::Config { .. })));
}
