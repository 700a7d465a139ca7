//! Event logs: numbered, paged, watched.

use std::sync::Arc;

use bytes::Bytes;
use rethread_core::ids::RunId;

use super::kit::*;
use crate::{EventWatch, EventWrite, ThreadWrite};

async fn events(storage: &Shared, run: RunId, after: u64, max: usize) -> Vec<Bytes> {
    storage.read_events(P0, run, after, max).await.expect("read_events succeeds")
}

async fn watch(storage: &Shared, run: RunId) -> EventWatch {
    storage.watch_events(P0, run).await.expect("watch_events succeeds")
}

/// Waits for a wake-up; there must be one.
async fn woken(watch: &mut EventWatch) {
    let woken = tokio::time::timeout(PATIENT, watch.changed()).await;
    assert_eq!(woken, Ok(true), "the watch wakes");
}

pub(super) async fn events_are_numbered_from_the_first(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(eventful(thread(1), run(1), 1, texts("e", 1, 5))).await;
    assert_eq!(events(&storage, run(1), 0, 100).await, texts("e", 1, 5));
    assert_eq!(events(&storage, run(1), 1, 100).await, texts("e", 2, 4), "behind number 1");
    assert_eq!(events(&storage, run(1), 5, 100).await, texts("", 0, 0), "behind the last");
    assert_eq!(events(&storage, run(1), 9, 100).await, texts("", 0, 0), "far behind");
}

pub(super) async fn events_are_read_in_pages(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(eventful(thread(1), run(1), 1, texts("e", 1, 10))).await;
    assert_eq!(events(&storage, run(1), 0, 4).await, texts("e", 1, 4));
    assert_eq!(events(&storage, run(1), 4, 4).await, texts("e", 5, 4));
    assert_eq!(events(&storage, run(1), 8, 4).await, texts("e", 9, 2));
}

pub(super) async fn events_of_several_commits_follow_each_other(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for first in [1, 4, 7] {
        owner.write(eventful(thread(1), run(1), first, texts("e", first as usize, 3))).await;
    }
    assert_eq!(events(&storage, run(1), 0, 100).await, texts("e", 1, 9));
}

pub(super) async fn a_run_without_events_is_empty(storage: Shared) {
    assert!(events(&storage, run(1), 0, 10).await.is_empty());
}

pub(super) async fn events_of_runs_are_isolated(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(eventful(thread(1), run(1), 1, texts("a", 1, 2))).await;
    owner.write(eventful(thread(1), run(2), 1, texts("b", 1, 3))).await;
    assert_eq!(events(&storage, run(1), 0, 10).await, texts("a", 1, 2));
    assert_eq!(events(&storage, run(2), 0, 10).await, texts("b", 1, 3));
    let elsewhere = storage.read_events(P1, run(1), 0, 10).await;
    assert_eq!(elsewhere, Ok(Vec::new()), "another partition");
}

pub(super) async fn one_commit_writes_several_logs(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let write = |n: u128| EventWrite {
        run: run(n),
        first_seq: 1,
        records: texts(&format!("{n}-"), 1, 2),
        ends: n == 1,
    };
    let two = ThreadWrite { events: vec![write(1), write(2)], ..headed(thread(1)) };
    let one = ThreadWrite { events: vec![write(3)], ..headed(thread(2)) };
    owner.commit(|commit| commit.threads = vec![two, one]).await;
    for n in 1..=3 {
        let expected = texts(&format!("{n}-"), 1, 2);
        assert_eq!(events(&storage, run(n), 0, 10).await, expected, "run {n}");
    }
}

pub(super) async fn a_long_log_keeps_its_order(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for first in (1..=5_000).step_by(500) {
        owner.write(eventful(thread(1), run(1), first, texts("e", first as usize, 500))).await;
    }
    let (mut after, mut found) = (0, Vec::new());
    loop {
        let page = events(&storage, run(1), after, 333).await;
        if page.is_empty() {
            break;
        }
        after += page.len() as u64;
        found.extend(page);
    }
    assert_eq!(found.len(), 5_000);
    assert!(found == texts("e", 1, 5_000), "pages are gapless and in order");
}

pub(super) async fn an_ended_log_can_be_read(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(eventful(thread(1), run(1), 1, texts("e", 1, 2))).await;
    let last = EventWrite { run: run(1), first_seq: 3, records: texts("e", 3, 1), ends: true };
    owner.write(ThreadWrite { events: vec![last], ..headed(thread(1)) }).await;
    owner.commit(|_| {}).await;
    assert_eq!(events(&storage, run(1), 0, 10).await, texts("e", 1, 3), "within retention");
}

pub(super) async fn a_watch_wakes(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut watch = watch(&storage, run(1)).await;
    for n in 1..=3 {
        owner.write(eventful(thread(1), run(1), n, texts("e", n as usize, 1))).await;
        // A watch may also wake for nothing, so the event is looked for.
        while events(&storage, run(1), n - 1, 10).await.is_empty() {
            woken(&mut watch).await;
        }
    }
}

pub(super) async fn a_watch_made_before_the_read_misses_nothing(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let reader = Arc::clone(&storage);
    let reading = tokio::spawn(async move {
        let (mut after, mut found) = (0, Vec::new());
        let mut watch = watch(&reader, run(1)).await;
        while found.len() < 100 {
            let page = events(&reader, run(1), after, 7).await;
            if page.is_empty() {
                woken(&mut watch).await;
            }
            after += page.len() as u64;
            found.extend(page);
        }
        found
    });
    for n in 1..=100 {
        owner.write(eventful(thread(1), run(1), n, texts("e", n as usize, 1))).await;
    }
    assert_eq!(reading.await.expect("no panic"), texts("e", 1, 100));
}

pub(super) async fn every_watch_wakes(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let attached = storage.attach().await.expect("attach succeeds");
    let mut first = watch(&storage, run(1)).await;
    let mut second = watch(&storage, run(1)).await;
    let mut third = watch(&attached, run(1)).await;
    drop(watch(&storage, run(1)).await);
    owner.write(eventful(thread(1), run(1), 1, texts("e", 1, 1))).await;
    woken(&mut first).await;
    woken(&mut second).await;
    woken(&mut third).await;
}

pub(super) async fn the_last_events_are_read_alone(storage: Shared) {
    let last = async |partition, number, max| {
        storage.last_events(partition, run(number), max).await.expect("last_events succeeds")
    };
    assert!(last(P0, 1, 3).await.is_empty(), "of a run without any");
    let mut owner = own(&storage, P0).await;
    owner.write(eventful(thread(1), run(1), 1, texts("e", 1, 5))).await;
    owner.write(eventful(thread(1), run(2), 1, texts("f", 1, 1))).await;
    assert_eq!(last(P0, 1, 3).await, texts("e", 3, 3), "in order");
    assert_eq!(last(P0, 1, 5).await, texts("e", 1, 5));
    assert_eq!(last(P0, 1, 100).await, texts("e", 1, 5), "there are no more");
    assert_eq!(last(P0, 2, 2).await, texts("f", 1, 1), "of this run");
    assert!(last(P0, 1, 0).await.is_empty());
    assert!(last(P1, 1, 3).await.is_empty(), "in its partition");
    owner.write(eventful(thread(1), run(1), 6, texts("e", 6, 2))).await;
    assert_eq!(last(P0, 1, 3).await, texts("e", 5, 3));
}

pub(super) async fn a_watch_of_the_end_wakes_at_the_end(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let watch_end = async || storage.watch_end(P0, run(1)).await.expect("watch_end succeeds");
    let (mut first, mut second) = (watch_end().await, watch_end().await);
    let mut of_events = watch(&storage, run(1)).await;
    owner.write(eventful(thread(1), run(1), 1, texts("e", 1, 2))).await;
    woken(&mut of_events).await;
    let last = EventWrite { run: run(1), first_seq: 3, records: texts("e", 3, 1), ends: true };
    owner.write(ThreadWrite { events: vec![last], ..headed(thread(1)) }).await;
    for watch in [&mut first, &mut second, &mut of_events] {
        // A watch may also wake for nothing, so the event is looked for.
        woken(watch).await;
        while storage.last_events(P0, run(1), 1).await != Ok(texts("e", 3, 1)) {
            woken(watch).await;
        }
    }
}

pub(super) async fn events_are_binary(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut records = awkward();
    records.push(mebibyte());
    owner.write(eventful(thread(1), run(1), 1, records.clone())).await;
    assert!(events(&storage, run(1), 0, 100).await == records, "they come back as they were");
}
