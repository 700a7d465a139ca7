//! Everything that a storage holds, in words that mean the same on every adapter.

use std::fmt::Write;

use rethread_core::ids::PartitionId;

use super::generate::{CACHE_KEYS, PARTITIONS, RUNS, THREADS};
use super::side::{Side, cache_key, lasting, run_id, said, show};
use crate::InboxCursor;
use crate::conformance::kit::thread;

/// More than there ever are.
const ALL: usize = 10_000;

/// All that is there.
pub(super) async fn dump(side: &mut Side) -> String {
    let mut text = String::new();
    for partition in 0..PARTITIONS {
        text += &partition_dump(side, partition).await;
        text += &threads_dump(side, PartitionId(partition)).await;
    }
    let storage = &side.storage;
    line(&mut text, "items", said(storage.scan_items(&[], None, ALL).await));
    line(&mut text, "namespaces", said(storage.item_namespaces(&[]).await));
    let workers = storage.list_workers().await.map(|mut workers| {
        workers.sort_by(|a, b| a.worker.cmp(&b.worker));
        workers.into_iter().map(|it| (it.worker, show(&it.description))).collect::<Vec<_>>()
    });
    line(&mut text, "workers", said(workers));
    for n in 0..CACHE_KEYS {
        let found = storage.look_up_cache(&cache_key(n), "dump", lasting(true)).await;
        line(&mut text, "cache", said(found));
    }
    text
}

/// What operators see of a partition, and its inbox.
pub(super) async fn partition_dump(side: &mut Side, partition: u16) -> String {
    let id = PartitionId(partition);
    let mut text = String::new();
    let storage = &side.storage;
    let status = storage.partition_status(id).await.map(|mut status| {
        status.queues.sort_by(|a, b| a.queue.cmp(&b.queue));
        let queues = status.queues.iter().map(|it| (it.queue.as_str(), it.waiting, it.assigned));
        let owner = status.owner.as_ref().map(|owner| (owner.node.as_str(), owner.epoch));
        let counts = (status.last_commit, status.inbox, status.active_threads);
        format!("{owner:?} {counts:?} {} {:?}", status.dead_letters, queues.collect::<Vec<_>>())
    });
    line(&mut text, "status", said(status));
    let queued = storage.queued_orders(id).await.map(|mut orders| {
        orders.sort_by(|a, b| a.order.cmp(&b.order));
        orders
    });
    line(&mut text, "orders", said(queued));
    let listed = storage.list_orders(id, ALL).await.map(|mut orders| {
        orders.sort_by(|a, b| a.order.cmp(&b.order));
        orders.into_iter().map(|it| (it.queue, show(&it.order), it.worker)).collect::<Vec<_>>()
    });
    line(&mut text, "with workers", said(listed));
    let active = storage.active_threads(id).await.map(|mut active| {
        active.sort();
        active
    });
    line(&mut text, "active", said(active));
    let letters = storage.list_dead_letters(id, None, ALL).await;
    let letters = letters.map(|all| all.iter().map(|it| show(&it.record)).collect::<Vec<_>>());
    line(&mut text, "dead letters", said(letters));
    let inbox = side.read(partition, InboxCursor::START, ALL).await;
    line(&mut text, "inbox", inbox);
    text
}

async fn threads_dump(side: &Side, id: PartitionId) -> String {
    let storage = &side.storage;
    let mut text = String::new();
    let page = storage.list_threads(id, None, ALL).await.map(|page| {
        let mut threads = page.threads;
        threads.sort();
        threads
    });
    line(&mut text, "threads", said(page));
    for n in 0..THREADS {
        line(&mut text, "thread", said(storage.load_thread(id, thread(n)).await));
        let listed = storage.list_checkpoints(id, thread(n), None, ALL).await;
        line(&mut text, "checkpoints", said(listed));
        for run in 0..RUNS {
            let log = storage.read_events(id, run_id(n, run), 0, ALL).await;
            line(&mut text, "events", said(log));
        }
    }
    text
}

fn line(text: &mut String, what: &str, said: String) {
    writeln!(text, "{what}: {said}").expect("invariant: a string takes all text");
}
