//! Writes that replicas confirm.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{Commit, Durability, Storage, StorageError};

use crate::support::{P0, Space, eventually, inbox, item, item_name, op, signal, tell, text};

struct Pair {
    primary: Space,
    replica: RedisServer,
    storage: Arc<RedisStorage>,
}

async fn pair(response_timeout: Duration) -> Pair {
    let primary = Space::alone_with(&["--repl-diskless-sync-delay", "0"]).await;
    let port = primary.server.port().to_string();
    let replica = RedisServer::start_with(&["--replicaof", "127.0.0.1", &port]);
    let mut options = primary.options();
    options.replicas = 1;
    options.response_timeout = response_timeout;
    let storage = Arc::new(RedisStorage::connect(options).await.expect("connects"));
    eventually("the replica follows", async || {
        let info = tell(&primary.server, &["INFO", "replication"]).await;
        let info: String = redis::from_redis_value(info).expect("a text");
        Ok(info.contains("state=online").then_some(()))
    })
    .await;
    Pair { primary, replica, storage }
}

#[tokio::test]
async fn a_write_that_no_replica_confirms_has_an_unknown_outcome_and_one_effect() {
    let Pair { primary, replica, storage } = pair(Duration::from_millis(500)).await;
    assert_eq!(storage.durability(), Durability::Replicated(1));
    let id = op();
    // The replica may have more to do at first than to confirm.
    eventually("it is confirmed", async || storage.submit(P0, id, text("m")).await.map(Some)).await;
    signal(&replica, "-STOP");
    let (first, second) = (op(), item_name(&["n"], "k"));
    let unknown = |error: &StorageError| matches!(error, StorageError::Unknown { .. });
    let error = storage.submit(P0, first, text("n")).await.expect_err("not confirmed");
    assert!(unknown(&error) && error.to_string().contains("0 of 1 replicas"), "{error}");
    // Nor is a repetition that changes nothing: it must not take the first for confirmed.
    let error = storage.submit(P0, first, text("n")).await.expect_err("not confirmed");
    assert!(unknown(&error), "{error}");
    let error = storage.put_item(&second, item("v")).await.expect_err("not confirmed");
    assert!(unknown(&error), "{error}");
    signal(&replica, "-CONT");
    eventually("it is confirmed", async || storage.submit(P0, first, text("n")).await.map(Some))
        .await;
    assert_eq!(inbox(&primary.storage).await, ["m", "n"]);
}

async fn connections(server: &RedisServer) -> usize {
    let info = tell(server, &["INFO", "clients"]).await;
    let info: String = redis::from_redis_value(info).expect("a text");
    let count = info.lines().find_map(|it| it.strip_prefix("connected_clients:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}

#[tokio::test]
async fn writes_that_no_replica_confirms_stand_in_line_and_open_no_connection_each() {
    const WRITES: usize = 200;
    let Pair { primary, replica, storage } = pair(Duration::from_secs(30)).await;
    let id = op();
    eventually("it is confirmed", async || storage.submit(P0, id, text("m")).await.map(Some)).await;
    let before = connections(&primary.server).await;
    signal(&replica, "-STOP");
    let writes = (0..WRITES).map(|_| {
        let storage = Arc::clone(&storage);
        tokio::spawn(async move { storage.submit(P0, op(), text("m")).await })
    });
    let writes: Vec<_> = writes.collect();
    // One connection for waits is there already.
    eventually("the first are sent", async || {
        Ok((inbox(&primary.storage).await.len() > 16).then_some(()))
    })
    .await;
    assert_eq!(inbox(&primary.storage).await.len(), 17);
    let during = connections(&primary.server).await;
    assert!(during <= before + 16, "{during} connections, {before} before");
    signal(&replica, "-CONT");
    for write in writes {
        write.await.expect("ends").expect("is confirmed");
    }
    assert_eq!(inbox(&primary.storage).await.len(), WRITES + 1);
    let after = connections(&primary.server).await;
    assert!(after <= before + 16, "{after} connections, {before} before");
}

/// What was written to a server since it started.
async fn changes(server: &RedisServer) -> u64 {
    let info = tell(server, &["INFO", "persistence"]).await;
    let info: String = redis::from_redis_value(info).expect("a text");
    let count = info.lines().find_map(|it| it.strip_prefix("rdb_changes_since_last_save:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number")
}

/// From Redis 7.2 on, `WAIT` waits for the last write of its connection only.
#[tokio::test]
async fn a_repetition_that_changes_nothing_has_something_to_wait_for() {
    let Pair { primary, replica: _replica, storage } = pair(Duration::from_secs(5)).await;
    let (lease, last) = primary.own(P0).await;
    let id = op();
    eventually("it is confirmed", async || storage.submit(P0, id, text("m")).await.map(Some)).await;
    storage.commit(Commit::new(lease, last + 1)).await.expect("commits");
    let before = changes(&primary.server).await;
    storage.submit(P0, id, text("m")).await.expect("is repeated");
    let between = changes(&primary.server).await;
    assert!(between > before, "{before}");
    storage.commit(Commit::new(lease, last + 1)).await.expect("is repeated");
    assert!(changes(&primary.server).await > between, "{between}");
    assert_eq!(inbox(&primary.storage).await, ["m"]);
}

#[tokio::test]
async fn what_was_acknowledged_is_on_the_replica_that_is_promoted() {
    let Pair { primary, replica, storage } = pair(Duration::from_secs(5)).await;
    let (lease, last) = primary.own(P0).await;
    let is_gone = Arc::new(AtomicBool::new(false));
    let submitting = (0..4).map(|_| {
        let (storage, is_gone) = (Arc::clone(&storage), Arc::clone(&is_gone));
        tokio::spawn(async move {
            let mut accepted = 0;
            while !is_gone.load(Ordering::SeqCst) {
                match storage.submit(P0, op(), text("m")).await {
                    Ok(()) => accepted += 1,
                    Err(_) => return accepted,
                }
            }
            accepted
        })
    });
    let submitting: Vec<_> = submitting.collect();
    let mut acknowledged = last;
    while acknowledged < last + 100 {
        storage.commit(Commit::new(lease, acknowledged + 1)).await.expect("commits");
        acknowledged += 1;
    }
    primary.server.kill();
    is_gone.store(true, Ordering::SeqCst);
    let mut accepted = 0;
    for submitted in submitting {
        accepted += submitted.await.expect("submits");
    }
    tell(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    let options = RedisOptions::new(replica.url()).namespace(&primary.namespace);
    let promoted = RedisStorage::connect(options).await.expect("connects");
    let status = promoted.partition_status(P0).await.expect("says");
    assert_eq!(status.last_commit, acknowledged);
    assert!(status.inbox >= accepted, "{} of {accepted} accepted messages", status.inbox);
    assert!(accepted > 0);
    // The owner goes on there: its token holds.
    promoted.commit(Commit::new(lease, acknowledged + 1)).await.expect("commits");
}
