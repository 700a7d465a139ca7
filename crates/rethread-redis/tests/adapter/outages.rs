//! Servers that refuse for a while, that are paused, cut off, replaced or set back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rethread_core::ids::NodeId;
use rethread_redis::testing::RedisServer;
use rethread_redis::{RedisOptions, RedisStorage};
use rethread_storage::{Acquisition, Commit, Lease, Storage, StorageError};

use crate::proxy::Proxy;
use crate::support::{
    P0, Space, commit, eventually, inbox, op, orders, queues, signal, tell, text, worker,
};

const LONG: Duration = Duration::from_secs(600);

async fn info(server: &RedisServer, section: &str) -> String {
    redis::from_redis_value(tell(server, &["INFO", section]).await).expect("a text")
}

/// Nothing happened, and it will go on.
fn is_refusal(error: &StorageError, text: &str) -> bool {
    matches!(error, StorageError::Unavailable { .. }) && error.to_string().contains(text)
}

/// The write is refused before anything is done, and goes through once the cause has ended.
async fn refuses_until(
    space: &Space,
    is_expected: impl Fn(&StorageError) -> bool,
    end: impl AsyncFnOnce(),
) {
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.orders = orders(["order".to_owned()]);
    let error = eventually("the commit is refused", async || {
        match space.storage.commit(write.clone()).await {
            Ok(()) => Ok(None),
            Err(error) => Ok(Some(error)),
        }
    });
    let error = error.await;
    assert!(is_expected(&error), "{error}");
    end().await;
    eventually("the commit goes through", async || {
        match space.storage.commit(write.clone()).await {
            Ok(()) => Ok(Some(())),
            Err(StorageError::Full { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    })
    .await;
    assert_eq!(space.storage.queued_orders(P0).await.expect("reads").len(), 1);
}

#[tokio::test]
async fn a_replica_takes_no_writes_until_it_is_promoted() {
    let space = Space::alone().await;
    let (lease, last) = space.own(P0).await;
    tell(&space.server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = space.storage.commit(Commit::new(lease, last + 1)).await.expect_err("read only");
    assert!(is_refusal(&error, "READONLY"), "{error}");
    // The connection was given up, and another is made only to a primary.
    let error = space.storage.submit(P0, op(), text("m")).await.expect_err("a replica");
    assert!(is_refusal(&error, "is a replica"), "{error}");
    assert!(space.storage.check_health().await.is_err());
    tell(&space.server, &["REPLICAOF", "NO", "ONE"]).await;
    eventually("the commit goes through", async || {
        space.storage.commit(Commit::new(lease, last + 1)).await.map(Some)
    })
    .await;
    assert_eq!(space.storage.check_health().await, Ok(()));
}

#[tokio::test]
async fn a_replica_without_its_primary_is_not_read() {
    let space = Space::alone_with(&["--replica-serve-stale-data", "no"]).await;
    tell(&space.server, &["REPLICAOF", "127.0.0.1", "1"]).await;
    let error = space.storage.queued_orders(P0).await.expect_err("its primary is away");
    assert!(is_refusal(&error, "MASTERDOWN"), "{error}");
    // This one answers, but with an error to all but few commands.
    let client = redis::Client::open(space.server.url()).expect("a url");
    let mut raw = client.get_multiplexed_async_connection().await.expect("connects");
    let mut promote = redis::cmd("REPLICAOF");
    promote.arg("NO").arg("ONE");
    let _: redis::Value = promote.query_async(&mut raw).await.expect("promotes");
    eventually("it is read", async || space.storage.queued_orders(P0).await.map(Some)).await;
}

#[tokio::test]
async fn a_server_that_loads_is_waited_for() {
    // It answers now and then while it loads, and would load for many seconds.
    let arguments =
        ["--key-load-delay", "20000", "--loading-process-events-interval-bytes", "1024"];
    let space = Space::alone_with(&arguments).await;
    let (lease, last) = space.own(P0).await;
    for _ in 0..300 {
        space.storage.submit(P0, op(), text("m")).await.expect("submits");
    }
    // Loaded slowly is only what stands in the base of the log.
    tell(&space.server, &["BGREWRITEAOF"]).await;
    eventually("the log is rewritten", async || {
        let info = info(&space.server, "persistence").await;
        let is_done = ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"];
        Ok(is_done.iter().all(|it| info.contains(it)).then_some(()))
    })
    .await;
    let server = Arc::clone(&space.server);
    let restarting = tokio::task::spawn_blocking(move || server.restart());
    eventually("it is met while it loads", async || {
        match space.storage.commit(Commit::new(lease, last + 1)).await {
            Ok(()) => panic!("it has loaded already"),
            Err(error) if is_refusal(&error, "LOADING") => Ok(Some(())),
            Err(error) => Err(error),
        }
    })
    .await;
    tell(&space.server, &["CONFIG", "SET", "key-load-delay", "0"]).await;
    restarting.await.expect("restarts");
    eventually("the commit goes through", async || {
        space.storage.commit(Commit::new(lease, last + 1)).await.map(Some)
    })
    .await;
    assert_eq!(inbox(&space.storage).await.len(), 300);
}

#[tokio::test]
async fn a_server_that_cannot_save_refuses_and_goes_on_afterwards() {
    let space = Space::alone().await;
    tell(&space.server, &["CONFIG", "SET", "save", "900 1"]).await;
    // Something that a file cannot replace.
    let obstacle = space.server.directory().join("dump.rdb");
    std::fs::create_dir_all(obstacle.join("full")).expect("makes");
    space.storage.submit(P0, op(), text("m")).await.expect("submits");
    tell(&space.server, &["BGSAVE"]).await;
    eventually("the save fails", async || {
        let info = info(&space.server, "persistence").await;
        Ok(info.contains("rdb_last_bgsave_status:err").then_some(()))
    })
    .await;
    let is_full = |error: &StorageError| matches!(error, StorageError::Full { .. });
    let storage = &space.storage;
    // Even what is not the commit: nothing may be half done.
    let refused = storage.submit(P0, op(), text("n")).await.expect_err("refused");
    assert!(is_full(&refused) && refused.to_string().contains("MISCONF"), "{refused}");
    std::fs::remove_dir_all(&obstacle).expect("removes");
    tell(&space.server, &["CONFIG", "SET", "save", ""]).await;
    storage.submit(P0, op(), text("n")).await.expect("submits");
    assert_eq!(inbox(storage).await, ["m", "n"]);
}

#[tokio::test]
async fn a_full_server_goes_on_when_it_has_room() {
    let space = Space::alone().await;
    let (_, _) = space.own(P0).await;
    tell(&space.server, &["CONFIG", "SET", "maxmemory", "1mb"]).await;
    let server = Arc::clone(&space.server);
    let is_full = |error: &StorageError| matches!(error, StorageError::Full { .. });
    refuses_until(&space, is_full, async || {
        tell(&server, &["CONFIG", "SET", "maxmemory", "0"]).await;
    })
    .await;
}

#[tokio::test]
async fn scripts_may_be_flushed_at_any_time() {
    let space = Space::alone().await;
    let storage = &space.storage;
    let (lease, last) = space.own(P0).await;
    let is_over = AtomicBool::new(false);
    let flushing = async {
        while !is_over.load(Ordering::SeqCst) {
            tell(&space.server, &["SCRIPT", "FLUSH"]).await;
        }
    };
    let working = async {
        let name = worker("w");
        for number in 1..=200 {
            let mut write = commit(lease, last + number);
            write.orders = orders([format!("order {number}")]);
            storage.commit(write).await.expect("commits");
            storage.submit(P0, op(), text("m")).await.expect("submits");
            let taken = storage.fetch(&name, &queues(), 1, LONG).await.expect("fetches");
            let parts = taken.iter().flat_map(|it| crate::support::finished(it, "done")).collect();
            storage.hand_in(&name, parts).await.expect("hands in");
        }
        is_over.store(true, Ordering::SeqCst);
    };
    tokio::join!(flushing, working);
    assert_eq!(inbox(storage).await.len(), 400);
}

#[tokio::test]
async fn killed_connections_are_made_again_and_nothing_is_done_twice() {
    let space = Space::alone().await;
    let storage = &space.storage;
    for _ in 0..200 {
        let id = op();
        // Before, after, or in between.
        let killing = tell(&space.server, &["CLIENT", "KILL", "TYPE", "normal"]);
        let (outcome, _) = tokio::join!(storage.submit(P0, id, text("m")), killing);
        let is_expected = matches!(
            outcome,
            Ok(()) | Err(StorageError::Unavailable { .. } | StorageError::Unknown { .. })
        );
        assert!(is_expected, "{outcome:?}");
        eventually("the message is accepted", async || {
            storage.submit(P0, id, text("m")).await.map(Some)
        })
        .await;
    }
    let found = eventually("the inbox is read", async || {
        let start = [(P0, rethread_storage::InboxCursor::START)];
        storage.read_inboxes(&start, 1_000, Duration::ZERO).await.map(Some)
    })
    .await;
    assert_eq!(found.len(), 200);
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_no_damage() {
    let space = Space::alone().await;
    let proxy = Proxy::before(space.server.port()).await;
    let options = RedisOptions::new(proxy.url()).namespace(&space.namespace);
    let storage = RedisStorage::connect(options).await.expect("connects");
    for _ in 0..20 {
        proxy.cut_next_answer();
        let id = op();
        let error = storage.submit(P0, id, text("m")).await.expect_err("its answer is cut off");
        assert!(matches!(error, StorageError::Unknown { .. }), "{error}");
        storage.submit(P0, id, text("m")).await.expect("submits");
        // A read is repeated.
        proxy.cut_next_answer();
        storage.partition_status(P0).await.expect("reads");
    }
    assert_eq!(proxy.dropped(), 40);
    assert_eq!(inbox(&space.storage).await.len(), 20);
}

#[tokio::test]
async fn an_answer_that_is_lost_on_the_way_leaves_one_effect() {
    let space = Space::alone().await;
    let proxy = Proxy::before(space.server.port()).await;
    let options = RedisOptions::new(proxy.url()).namespace(&space.namespace);
    let storage = RedisStorage::connect(options).await.expect("connects");
    let is_unknown = |error: &StorageError| matches!(error, StorageError::Unknown { .. });
    let node = NodeId::new("node").expect("an id");
    let lease: Lease = match storage.acquire(P0, &node, LONG).await.expect("acquires") {
        Acquisition::Acquired { lease, .. } => lease,
        Acquisition::Held { by, .. } => panic!("held by {by}"),
    };
    for number in 1..=20 {
        let id = op();
        proxy.drop_next_answer();
        let error = storage.submit(P0, id, text("m")).await.expect_err("its answer is lost");
        assert!(is_unknown(&error), "{error}");
        storage.submit(P0, id, text("m")).await.expect("submits");

        let mut write = commit(lease, number);
        write.orders = orders([format!("order {number}")]);
        proxy.drop_next_answer();
        let error = storage.commit(write.clone()).await.expect_err("its answer is lost");
        assert!(is_unknown(&error), "{error}");
        storage.commit(write).await.expect("commits");
    }
    assert_eq!(proxy.dropped(), 40);
    assert_eq!(inbox(&space.storage).await.len(), 20);
    assert_eq!(space.storage.queued_orders(P0).await.expect("reads").len(), 20);

    // An order that was assigned in a lost answer is delivered by a later fetch.
    let name = worker("w");
    storage.heartbeat(&name, &queues()).await.expect("beats");
    proxy.drop_next_answer();
    let mut seen = std::collections::BTreeSet::new();
    assert!(storage.fetch(&name, &queues(), 4, Duration::ZERO).await.is_err());
    while seen.len() < 20 {
        let taken = storage.fetch(&name, &queues(), 4, Duration::ZERO).await.expect("fetches");
        for delivery in &taken {
            assert!(seen.insert(delivery.order.clone()), "an order came twice");
        }
    }
}

#[tokio::test]
async fn a_paused_server_leaves_an_unknown_outcome_and_one_effect() {
    let space = Space::alone().await;
    let mut options = space.options();
    options.response_timeout = Duration::from_millis(200);
    options.connect_timeout = Duration::from_millis(200);
    let storage = RedisStorage::connect(options).await.expect("connects");
    let id = op();
    storage.submit(P0, id, text("m")).await.expect("submits");
    let second = op();
    signal(&space.server, "-STOP");
    let error = storage.submit(P0, second, text("n")).await.expect_err("it is paused");
    assert!(matches!(error, StorageError::Unknown { .. }), "{error}");
    let error = storage.submit(P0, op(), text("never sent")).await.expect_err("it is paused");
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");
    signal(&space.server, "-CONT");
    eventually("the message is accepted", async || {
        storage.submit(P0, second, text("n")).await.map(Some)
    })
    .await;
    assert_eq!(inbox(&space.storage).await, ["m", "n"]);
}

/// Commits until the server is gone; the number of the last one that was acknowledged.
async fn commit_until_it_is_gone(space: &Space, lease: Lease, last: u64) -> u64 {
    let mut acknowledged = last;
    let working = async {
        loop {
            match space.storage.commit(Commit::new(lease, acknowledged + 1)).await {
                Ok(()) => acknowledged += 1,
                Err(StorageError::Unavailable { .. } | StorageError::Unknown { .. }) => return,
                Err(error) => panic!("{error}"),
            }
        }
    };
    let killing = async {
        for _ in 0..20 {
            space.storage.submit(P0, op(), text("m")).await.expect("submits");
        }
        space.server.kill();
    };
    tokio::join!(working, killing);
    acknowledged
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_with_a_log_that_is_always_synced() {
    let space = Space::alone().await;
    let (lease, mut last) = space.own(P0).await;
    for round in 1..=3 {
        let acknowledged = commit_until_it_is_gone(&space, lease, last).await;
        space.server.restart();
        let found = eventually("the status is read", async || {
            space.storage.partition_status(P0).await.map(|it| Some(it.last_commit))
        })
        .await;
        assert!((acknowledged..=acknowledged + 1).contains(&found), "{found}, not {acknowledged}");
        assert_eq!(inbox(&space.storage).await.len(), 20 * round);
        last = found;
    }
}

#[tokio::test]
async fn a_server_that_lost_everything_is_told_once_and_then_used() {
    let space = Space::alone_with(&["--appendonly", "no"]).await;
    let (lease, last) = space.own(P0).await;
    for number in 1..=5 {
        space.storage.commit(Commit::new(lease, last + number)).await.expect("commits");
    }
    space.server.restart();
    let node = NodeId::new("other").expect("an id");
    let mut told = Vec::new();
    let acquired = eventually("the partition is acquired", async || {
        match space.storage.acquire(P0, &node, LONG).await {
            Err(error @ StorageError::RolledBack { .. }) => {
                told.push(error);
                Ok(None)
            }
            other => other.map(Some),
        }
    })
    .await;
    assert_eq!(told, [StorageError::RolledBack { partition: P0, expected: last + 5, found: 0 }]);
    let Acquisition::Acquired { last_commit: 0, .. } = acquired else { panic!("{acquired:?}") };
}

#[tokio::test]
async fn an_owner_meets_a_server_that_lost_everything() {
    let space = Space::alone_with(&["--appendonly", "no"]).await;
    let (lease, last) = space.own(P0).await;
    for number in 1..=5 {
        space.storage.commit(Commit::new(lease, last + number)).await.expect("commits");
    }
    space.server.restart();
    let error = eventually("the commit is refused", async || {
        match space.storage.commit(Commit::new(lease, last + 6)).await {
            Ok(()) => panic!("nothing that it builds on is there"),
            Err(error @ StorageError::RolledBack { .. }) => Ok(Some(error)),
            Err(error) => Err(error),
        }
    })
    .await;
    assert_eq!(error, StorageError::RolledBack { partition: P0, expected: last + 5, found: 0 });
    // From then on it is a matter of ownership.
    let error = space.storage.commit(Commit::new(lease, last + 6)).await.expect_err("not ours");
    assert_eq!(error, StorageError::Fenced { partition: P0 });
}

#[tokio::test]
async fn an_owner_meets_an_older_copy_of_its_data() {
    let space = Space::alone().await;
    let (lease, last) = space.own(P0).await;
    space.storage.commit(Commit::new(lease, last + 1)).await.expect("commits");
    // The copy is of a replica that hears nothing afterwards.
    let port = space.server.port().to_string();
    let replica = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
    tell(&replica, &["REPLICAOF", "127.0.0.1", &port]).await;
    let key = space.keys(":lease").await.remove(0);
    eventually("the copy is there", async || {
        let found = tell(&replica, &["HGET", &key, "n"]).await;
        let found: Option<u64> = redis::from_redis_value(found).expect("a number");
        Ok((found == Some(last + 1)).then_some(()))
    })
    .await;
    tell(&replica, &["REPLICAOF", "NO", "ONE"]).await;
    for number in 2..=4 {
        space.storage.commit(Commit::new(lease, last + number)).await.expect("commits");
    }
    // The same process finds that server in place of the other.
    tell(&space.server, &["FLUSHALL"]).await;
    let dump = tell(&replica, &["DUMP", &key]).await;
    let redis::Value::BulkString(dump) = dump else { panic!("no copy") };
    let client = redis::Client::open(space.server.url()).expect("a url");
    let mut raw = client.get_multiplexed_async_connection().await.expect("connects");
    let mut restore = redis::cmd("RESTORE");
    restore.arg(&key).arg(0).arg(dump);
    let _: redis::Value = restore.query_async(&mut raw).await.expect("restores");
    let error = space.storage.commit(Commit::new(lease, last + 5)).await.expect_err("behind");
    let expected = StorageError::RolledBack { partition: P0, expected: last + 4, found: last + 1 };
    assert_eq!(error, expected);
}

#[tokio::test]
async fn a_policy_that_evicts_is_noticed_while_it_runs() {
    let space = Space::alone().await;
    assert_eq!(space.storage.check_health().await, Ok(()));
    tell(&space.server, &["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]).await;
    let error = space.storage.check_health().await.expect_err("it may evict");
    assert!(matches!(error, StorageError::Config { .. }), "{error}");
    tell(&space.server, &["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await;
    assert_eq!(space.storage.check_health().await, Ok(()));
    space.server.kill();
    let error = space.storage.check_health().await.expect_err("it is gone");
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");
}
