//! Lost scripts, lost servers.

use std::time::Duration;

use rethread_core::ids::{NodeId, PartitionId};
use rethread_storage::{Acquisition, HandIn, InboxCursor, Storage, StorageError};

use crate::support::{
    P0, Space, commit, events_of, eventually, finished, inbox, op, orders, queues, run, text,
    worker,
};

const WAIT: Duration = Duration::from_secs(5);

async fn forget_scripts(space: &Space) {
    let mut raw = space.raw().await;
    let _: redis::Value =
        redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut raw).await.expect("flushes");
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let space = Space::alone().await;
    let (lease, last) = space.own(P0).await;
    forget_scripts(&space).await;
    let mut write = commit(lease, last + 1);
    write.orders = orders(["a".to_owned()]);
    space.storage.commit(write).await.expect("commits");
    forget_scripts(&space).await;
    space.storage.submit(P0, op(), text("submitted")).await.expect("submits");
    forget_scripts(&space).await;
    let name = worker("w");
    let taken = space.storage.fetch(&name, &queues(), 1, WAIT).await.expect("fetches").remove(0);
    forget_scripts(&space).await;
    // Several calls in one round trip.
    let mut parts = finished(&taken, "done");
    for partition in 1..4 {
        let messages = vec![text("more")];
        parts.push(HandIn { partition: PartitionId(partition), finished: None, messages });
    }
    space.storage.hand_in(&name, parts).await.expect("hands in");
    assert_eq!(inbox(&space.storage).await, ["submitted", "done"]);
    let others: Vec<_> = (1..4).map(|it| (PartitionId(it), InboxCursor::START)).collect();
    let others = space.storage.read_inboxes(&others, 9, Duration::ZERO).await.expect("reads");
    assert_eq!(others.len(), 3);
}

#[tokio::test]
async fn acknowledged_data_survives_the_server_and_the_adapter_reconnects() {
    let space = Space::alone().await;
    let (lease, last) = space.own(P0).await;
    let watched = run();
    let write = |number: u64| {
        let mut write = commit(lease, last + number);
        write.threads.push(events_of(watched, number, &["e"], false));
        write
    };
    let mut number = 0;
    for _ in 0..3 {
        for _ in 0..50 {
            number += 1;
            space.storage.commit(write(number)).await.expect("commits");
        }
        space.server.kill();
        number += 1;
        let error = space.storage.commit(write(number)).await.expect_err("it is gone");
        let is_expected =
            matches!(error, StorageError::Unavailable { .. } | StorageError::Unknown { .. });
        assert!(is_expected, "{error}");
        space.server.restart();
        // A commit before it that was lost would be a rollback.
        eventually("the same commit succeeds", async || {
            space.storage.commit(write(number)).await.map(Some)
        })
        .await;
        let found = space.storage.read_events(P0, watched, 0, 10_000).await.expect("reads");
        assert_eq!(found.len() as u64, number);
    }
}

#[tokio::test]
async fn a_waiting_reader_survives_a_restart() {
    let space = Space::alone().await;
    let start = [(P0, InboxCursor::START)];
    let reading = eventually("the reader gets the message", async || {
        let items = space.storage.read_inboxes(&start, 10, WAIT).await?;
        Ok(items.into_iter().next())
    });
    let acting = async {
        space.until_somebody_waits().await;
        space.server.restart();
        let id = op();
        eventually("the message is accepted", async || {
            space.storage.submit(P0, id, text("after")).await.map(Some)
        })
        .await;
    };
    let (item, ()) = tokio::join!(reading, acting);
    assert_eq!(item.message, "after");
}

#[tokio::test]
async fn a_waiting_worker_survives_a_restart() {
    let space = Space::alone().await;
    let name = worker("w");
    let queues = queues();
    let fetching = eventually("the worker gets the order", async || {
        let taken = space.storage.fetch(&name, &queues, 1, WAIT).await?;
        Ok(taken.into_iter().next())
    });
    let acting = async {
        space.until_somebody_waits().await;
        space.server.restart();
        let attached =
            eventually("another handle connects", async || space.storage.attach().await.map(Some))
                .await;
        assert_eq!(attached.partitions(), 4);
        let (lease, last) = eventually("the partition is taken", async || {
            let node = NodeId::new("node").expect("an id");
            match attached.acquire(P0, &node, WAIT).await? {
                Acquisition::Acquired { lease, last_commit } => Ok(Some((lease, last_commit))),
                Acquisition::Held { .. } => Ok(None),
            }
        })
        .await;
        let mut write = commit(lease, last + 1);
        write.orders = orders(["after".to_owned()]);
        attached.commit(write).await.expect("commits");
    };
    let (taken, ()) = tokio::join!(fetching, acting);
    assert_eq!(taken.order, "after");
}

#[tokio::test]
async fn a_full_server_refuses_and_nothing_is_written() {
    let space = Space::alone().await;
    let (lease, last) = space.own(P0).await;
    let mut raw = space.raw().await;
    let _: redis::Value = redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", "1mb"])
        .query_async(&mut raw)
        .await
        .expect("sets");
    let mut write = commit(lease, last + 1);
    write.orders = orders(["a".to_owned()]);
    let error = space.storage.commit(write.clone()).await.expect_err("full");
    assert!(matches!(error, StorageError::Full { .. }), "{error}");
    // The lease outlives the shortage.
    assert_eq!(space.storage.renew(&[lease], WAIT).await, Ok(Vec::new()));
    let _: redis::Value = redis::cmd("CONFIG")
        .arg(&["SET", "maxmemory", "0"])
        .query_async(&mut raw)
        .await
        .expect("sets");
    space.storage.commit(write).await.expect("commits");
    assert_eq!(space.storage.queued_orders(P0).await.expect("reads").len(), 1);
}

#[tokio::test]
async fn foreign_data_under_our_keys_is_reported() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.threads.push(events_of(run(), 1, &["e"], false));
    space.storage.commit(write).await.expect("commits");
    let mut raw = space.raw().await;
    let thread = space.keys(":t:").await.remove(0);
    let _: redis::Value =
        redis::cmd("SET").arg(&thread).arg("x").query_async(&mut raw).await.expect("sets");
    let error = space.storage.load_thread(P0, crate::support::thread("t")).await;
    assert!(matches!(error, Err(StorageError::Corrupt { .. })), "{error:?}");
}

#[tokio::test]
async fn foreign_entries_of_streams_do_not_stand_in_the_way() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.orders = orders(["first".to_owned()]);
    space.storage.commit(write).await.expect("commits");
    let mut raw = space.raw().await;
    let queue = space.keys(":q:").await.into_iter().find(|key| key.contains("p00"));
    let queue = queue.expect("the queue of the partition");
    let queue_part = &queue[queue.rfind(":q:").expect("a queue")..];
    let (inbox, letters) = (queue.replace(queue_part, ":in"), queue.replace(queue_part, ":dl"));
    for (key, field) in [(&queue, "o"), (&queue, "x"), (&inbox, "x"), (&letters, "x")] {
        let _: redis::Value = redis::cmd("XADD")
            .arg(&[key.as_str(), "*", field, "foreign"])
            .query_async(&mut raw)
            .await
            .expect("adds");
    }
    let found = space.storage.queued_orders(P0).await.expect("reads");
    let found: Vec<_> = found.iter().map(|order| &order.order[..]).collect();
    assert_eq!(found, [&b"first"[..], b"foreign", b"foreign"]);
    let messages = space
        .storage
        .read_inboxes(&[(P0, InboxCursor::START)], 10, Duration::ZERO)
        .await
        .expect("reads");
    assert_eq!(messages.len(), 1);
    let letters = space.storage.list_dead_letters(P0, None, 10).await.expect("lists");
    let [letter] = &letters[..] else { panic!("{letters:?}") };
    assert_eq!(&letter.record[..], b"foreign");
    assert_eq!(space.storage.remove_dead_letter(P0, letter.id).await, Ok(true));
    let (worker, queues) = (worker("w"), queues());
    let taken = space.storage.fetch(&worker, &queues, 10, Duration::ZERO).await.expect("fetches");
    assert_eq!(taken.len(), 3);
    space.storage.retire(&worker, &queues).await.expect("retires");
    assert_eq!(space.storage.queued_orders(P0).await.expect("reads").len(), 3);
}
