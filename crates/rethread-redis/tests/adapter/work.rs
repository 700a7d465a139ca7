//! Work queues.

use std::time::Duration;

use rethread_core::ids::PartitionId;
use rethread_storage::{Delivery, Storage};

use crate::support::{
    P0, Space, commit, eventually, finished, inbox, orders, queues, tell, worker,
};

const WAIT: Duration = Duration::from_secs(5);

async fn enqueue(space: &Space, texts: &[&str]) {
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.orders = orders(texts.iter().map(|it| (*it).to_owned()));
    space.storage.commit(write).await.expect("commits");
}

async fn take(space: &Space, name: &str, max: usize) -> Vec<Delivery> {
    let taken = space.storage.fetch(&worker(name), &queues(), max, Duration::ZERO).await;
    taken.expect("fetches")
}

#[tokio::test]
async fn a_waiting_worker_gets_an_order_of_any_partition() {
    let space = Space::new().await;
    for partition in 0..4 {
        let (lease, last) = space.own(PartitionId(partition)).await;
        let mut write = commit(lease, last + 1);
        write.orders = orders([format!("of {partition}")]);
        let (name, queues) = (worker("w"), queues());
        let (taken, committed) =
            tokio::join!(space.storage.fetch(&name, &queues, 1, WAIT), space.storage.commit(write));
        committed.expect("commits");
        let taken = taken.expect("fetches");
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].receipt.partition, PartitionId(partition));
        space.storage.hand_in(&name, finished(&taken[0], "done")).await.expect("hands in");
    }
}

#[tokio::test]
async fn no_more_orders_come_than_were_asked_for() {
    let space = Space::new().await;
    for partition in 0..4 {
        let (lease, last) = space.own(PartitionId(partition)).await;
        let mut write = commit(lease, last + 1);
        write.orders = orders((0..3).map(|n| format!("{partition}.{n}")));
        space.storage.commit(write).await.expect("commits");
    }
    let mut partitions = Vec::new();
    for _ in 0..12 {
        let taken = take(&space, "w", 1).await;
        assert_eq!(taken.len(), 1);
        partitions.push(taken[0].receipt.partition.0);
    }
    assert!(take(&space, "w", 1).await.is_empty());
    partitions.truncate(4);
    partitions.sort_unstable();
    assert_eq!(partitions, [0, 1, 2, 3], "each partition has its turn");
}

#[tokio::test]
async fn a_waiting_worker_that_gets_too_much_gives_it_back_uncounted() {
    let space = Space::new().await;
    let name = worker("w");
    let mut fetched = std::collections::HashSet::new();
    for round in 0..30 {
        // Orders arrive in all partitions while the worker turns from looking to waiting.
        let queues = queues();
        let enqueue = async {
            for partition in 0..4 {
                let (lease, last) = space.own(PartitionId(partition)).await;
                let mut write = commit(lease, last + 1);
                write.orders = orders((0..3).map(|n| format!("{round}.{partition}.{n}")));
                space.storage.commit(write).await.expect("commits");
            }
        };
        let (taken, ()) = tokio::join!(space.storage.fetch(&name, &queues, 1, WAIT), enqueue);
        let mut taken = taken.expect("fetches");
        while !taken.is_empty() {
            assert_eq!((taken.len(), taken[0].fetches, taken[0].given), (1, 1, 1));
            assert!(fetched.insert(taken[0].order.clone()), "an order came twice");
            space.storage.hand_in(&name, finished(&taken[0], "done")).await.expect("hands in");
            taken = take(&space, "w", 1).await;
        }
    }
    assert_eq!(fetched.len(), 30 * 12);
}

#[tokio::test]
async fn streams_and_groups_that_were_deleted_are_made_again() {
    let space = Space::new().await;
    enqueue(&space, &["first"]).await;
    let first = take(&space, "w", 1).await.remove(0);
    let mut raw = space.raw().await;
    let stream = space.keys(":q:").await.remove(0);
    let _: i64 = redis::cmd("DEL").arg(&stream).query_async(&mut raw).await.expect("deletes");
    space.storage.hand_in(&worker("w"), finished(&first, "late")).await.expect("is dropped");
    assert!(inbox(&space.storage).await.is_empty());

    let queues = queues();
    let name = worker("w");
    let waiting = async {
        eventually("the waiting worker gets the order", async || {
            let taken = space.storage.fetch(&name, &queues, 1, WAIT).await?;
            Ok(taken.into_iter().next())
        })
        .await
    };
    let deleting = async {
        // Once the group is back, somebody waits on it; it is taken away under the waiting read.
        eventually("the group is made again", async || {
            let deleted: i64 =
                redis::cmd("DEL").arg(&stream).query_async(&mut raw).await.expect("deletes");
            Ok((deleted == 1).then_some(()))
        })
        .await;
        enqueue(&space, &["second"]).await;
    };
    let (taken, ()) = tokio::join!(waiting, deleting);
    assert_eq!(taken.order, "second");
}

#[tokio::test]
async fn an_order_fetched_for_nobody_is_delivered_by_the_next_fetch() {
    let space = Space::new().await;
    let name = worker("w");
    let queues = queues();
    enqueue(&space, &["a", "b"]).await;
    let mut raw = space.raw().await;
    let stream = space.keys(":q:").await.remove(0);
    let kept = take(&space, "w", 1).await.remove(0);
    // A fetch that was given up while the server assigned: the order is in its hands, and the
    // worker has never seen it.
    let mut given_up = Box::pin(space.storage.fetch(&name, &queues, 1, WAIT));
    let polled =
        std::future::poll_fn(|cx| std::task::Poll::Ready(given_up.as_mut().poll(cx).is_ready()));
    assert!(!polled.await, "an answer cannot be there at once");
    drop(given_up);
    let _: redis::Value = redis::cmd("XREADGROUP")
        .arg(&["GROUP", "w", "w", "COUNT", "1", "STREAMS", &stream, ">"])
        .query_async(&mut raw)
        .await
        .expect("assigns");
    let found = eventually("the order is found", async || {
        let taken = space.storage.fetch(&name, &queues, 1, Duration::ZERO).await?;
        Ok(taken.into_iter().next())
    })
    .await;
    assert_ne!(found.order, kept.order);
    assert_eq!(found.fetches, 1);
    assert!(take(&space, "w", 9).await.is_empty(), "neither comes twice");
    space.storage.hand_in(&name, finished(&found, "done")).await.expect("hands in");
    assert_eq!(inbox(&space.storage).await, ["done"]);
}

#[tokio::test]
async fn orders_of_the_dead_are_taken_over_and_their_consumers_go() {
    let space = Space::new().await;
    enqueue(&space, &["a", "b", "c"]).await;
    let dead = take(&space, "dead", 2).await;
    let living = take(&space, "living", 1).await.remove(0);
    space.storage.heartbeat(&worker("living"), &queues()).await.expect("beats");
    let limit = Duration::from_secs(600);
    let heir = worker("heir");
    let first = space.storage.reclaim(&heir, &queues(), limit, 1).await.expect("reclaims");
    let second = space.storage.reclaim(&heir, &queues(), limit, 9).await.expect("reclaims");
    assert_eq!((first.len(), second.len()), (1, 1));
    assert_eq!((first[0].fetches, &first[0].order), (2, &dead[0].order));
    assert_eq!((second[0].fetches, &second[0].order), (2, &dead[1].order));
    assert!(space.storage.reclaim(&heir, &queues(), limit, 9).await.expect("none").is_empty());

    // The dead one wakes up: what it hands in is dropped.
    space.storage.hand_in(&worker("dead"), finished(&dead[0], "late")).await.expect("is dropped");
    space.storage.hand_in(&heir, finished(&first[0], "heir")).await.expect("hands in");
    space.storage.hand_in(&worker("living"), finished(&living, "living")).await.expect("hands in");
    assert_eq!(inbox(&space.storage).await, ["heir", "living"]);

    let mut raw = space.raw().await;
    let stream = space.keys(":q:").await.remove(0);
    let consumers: Vec<std::collections::HashMap<String, redis::Value>> = redis::cmd("XINFO")
        .arg(&["CONSUMERS", &stream, "w"])
        .query_async(&mut raw)
        .await
        .expect("asks");
    let names: Vec<_> = consumers.iter().map(|it| it["name"].clone()).collect();
    assert!(!names.contains(&redis::Value::BulkString(b"dead".to_vec())), "{names:?}");
}

#[tokio::test]
async fn what_a_retiring_worker_has_is_fetched_by_others() {
    let space = Space::new().await;
    enqueue(&space, &["a", "b"]).await;
    let held = take(&space, "w", 2).await;
    space.storage.retire(&worker("w"), &queues()).await.expect("retires");
    let taken = take(&space, "other", 9).await;
    let orders: Vec<_> = taken.iter().map(|it| (&it.order[..], it.fetches, it.given)).collect();
    assert_eq!(orders, [(&b"a"[..], 1, 2), (&b"b"[..], 1, 2)]);
    space.storage.hand_in(&worker("w"), finished(&held[0], "late")).await.expect("is dropped");
    assert!(inbox(&space.storage).await.is_empty());
}

/// A failover may bring back a state in which a worker has an order that it gave up meanwhile.
#[tokio::test]
async fn an_order_that_a_rollback_gives_back_is_delivered_again() {
    let space = Space::alone().await;
    let storage = &space.storage;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.orders = orders(["one".to_owned()]);
    storage.commit(write).await.expect("commits");
    let name = worker("w");
    storage.heartbeat(&name, &queues()).await.expect("beats");
    let taken = storage.fetch(&name, &queues(), 1, WAIT).await.expect("fetches").remove(0);
    let id = format!("{}-{}", taken.receipt.id.0, taken.receipt.id.1);
    let keys: Vec<String> =
        redis::from_redis_value(tell(&space.server, &["KEYS", "*:q:*"]).await).expect("names");
    let mut queue = None;
    for key in keys {
        let copied = tell(&space.server, &["COPY", &key, &format!("{key}-kept")]).await;
        assert_eq!(copied, redis::Value::Int(1));
        if tell(&space.server, &["XACK", &key, "w", &id]).await == redis::Value::Int(1) {
            queue = Some(key);
        }
    }
    let key = &*queue.expect("the order is in one of them");
    let kept = format!("{key}-kept");
    tell(&space.server, &["XDEL", key, &id]).await;
    let asked = std::slice::from_ref(&taken.receipt);
    assert_eq!(storage.confirm(&name, asked).await, Ok(vec![false]));

    tell(&space.server, &["COPY", &kept, key, "REPLACE"]).await;
    space.server.kill();
    eventually("the worker notices", async || Ok(storage.heartbeat(&name, &queues()).await.err()))
        .await;
    space.server.restart();
    let again = eventually("the order is delivered again", async || {
        let _ = storage.heartbeat(&name, &queues()).await;
        let found = storage.fetch(&name, &queues(), 1, Duration::from_millis(50)).await?;
        Ok(found.into_iter().next())
    })
    .await;
    assert_eq!(again.receipt, taken.receipt);
}
