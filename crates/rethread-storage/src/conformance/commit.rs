//! The owner's write: fenced, numbered, atomic.

use rethread_core::ids::Millis;

use super::kit::*;
use crate::{Activity, Commit, InboxCursor, StorageError, ThreadWrite};

/// Something of everything that a commit can write.
fn full(commit: &mut Commit, label: &str) {
    let events = eventful(thread(1), run(1), 1, vec![bytes(label)]).events;
    commit.threads.push(ThreadWrite {
        header: Some(bytes(label)),
        events,
        base: Some(checkpoint_id(1)),
        activity: Some(Activity::Due(Millis(5))),
        checkpoints: checkpointed(thread(1), &[(1, label)]).checkpoints,
        ..append(thread(1), vec![bytes(label)])
    });
    commit.orders.push(queued("q", &bytes(label)));
}

async fn assert_nothing_written(storage: &Shared) {
    let loaded = storage.load_thread(P0, thread(1)).await.expect("load_thread succeeds");
    assert_eq!(loaded, None, "no thread");
    let events = storage.read_events(P0, run(1), 0, 10).await.expect("read_events succeeds");
    assert!(events.is_empty(), "no events: {events:?}");
    let found = storage.list_checkpoints(P0, thread(1), None, 10).await;
    assert_eq!(found, Ok(Vec::new()), "no checkpoints");
    assert_eq!(storage.active_threads(P0).await, Ok(Vec::new()), "no active thread");
    assert_eq!(queued_texts(storage, P0).await, [""; 0], "no orders");
    assert!(fetch(storage, "w", &["q"], 10).await.is_empty(), "nothing to fetch");
}

async fn assert_written_once(storage: &Shared, label: &str) {
    let loaded = storage.load_thread(P0, thread(1)).await.expect("load_thread succeeds");
    let loaded = loaded.expect("the thread exists");
    assert_eq!(loaded.header, bytes(label));
    assert_eq!(loaded.journal, [bytes(label)], "the journal has one entry");
    assert_eq!(loaded.base, Some(bytes(label)));
    assert_eq!(loaded.last_event, Some((run(1), 1)));
    let events = storage.read_events(P0, run(1), 0, 10).await.expect("read_events succeeds");
    assert_eq!(events, [bytes(label)], "one event");
    assert_eq!(queued_texts(storage, P0).await, [label], "one order");
    assert_eq!(storage.active_threads(P0).await, Ok(vec![(thread(1), Millis(5))]));
}

pub(super) async fn a_commit_counts(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.commit(|commit| full(commit, "x")).await;
    assert_written_once(&storage, "x").await;
    assert_eq!(own(&storage, P0).await.last_commit, 1);
}

pub(super) async fn a_fenced_commit_writes_nothing(storage: Shared) {
    let mut old = own(&storage, P0).await;
    let mut new = own(&storage, P0).await;
    let refused = old.try_commit(|commit| full(commit, "x")).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }));
    assert_nothing_written(&storage).await;
    new.commit(|_| {}).await;
    assert_eq!(own(&storage, P0).await.last_commit, 1, "the refused one did not count");
}

pub(super) async fn a_fenced_commit_consumes_nothing(storage: Shared) {
    let mut old = own(&storage, P0).await;
    submit(&storage, P0, 1, "m").await;
    let cursor = inbox(&storage, P0).await[0].cursor;
    own(&storage, P0).await;
    let refused = old.try_commit(|commit| commit.consumed = Some(cursor)).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }));
    let refused = old.try_commit(|commit| commit.consumed_beyond = vec![cursor]).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }));
    assert_eq!(inbox_texts(&storage, P0).await, ["m"]);
}

pub(super) async fn a_repeated_commit_has_one_effect(storage: Shared) {
    let owner = own(&storage, P0).await;
    let mut commit = owner.next();
    full(&mut commit, "x");
    for attempt in 1..=3 {
        let answer = storage.commit(commit.clone()).await;
        assert_eq!(answer, Ok(()), "attempt {attempt}");
    }
    assert_written_once(&storage, "x").await;
    assert_eq!(own(&storage, P0).await.last_commit, 1);
}

pub(super) async fn a_skipped_number_is_a_rollback(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.commit(|_| {}).await;
    let refused = owner.try_commit(|commit| commit.number = 5).await;
    let expected = StorageError::RolledBack { partition: P0, expected: 4, found: 1 };
    assert_eq!(refused, Err(expected));
}

pub(super) async fn an_old_number_is_a_rollback(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for _ in 0..3 {
        owner.commit(|_| {}).await;
    }
    let refused = owner.try_commit(|commit| commit.number = 2).await;
    let expected = StorageError::RolledBack { partition: P0, expected: 1, found: 3 };
    assert_eq!(refused, Err(expected));
}

pub(super) async fn a_refused_number_writes_nothing(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    submit(&storage, P0, 1, "m").await;
    let cursor = inbox(&storage, P0).await[0].cursor;
    let refused = owner
        .try_commit(|commit| {
            full(commit, "x");
            commit.consumed = Some(cursor);
            commit.number = 9;
        })
        .await;
    assert!(matches!(refused, Err(StorageError::RolledBack { .. })), "{refused:?}");
    assert_nothing_written(&storage).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["m"]);
    owner.commit(|commit| full(commit, "y")).await;
    assert_written_once(&storage, "y").await;
}

pub(super) async fn an_empty_commit_counts(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.commit(|_| {}).await;
    owner.commit(|commit| commit.consumed = Some(InboxCursor::START)).await;
    owner.write(ThreadWrite::none(thread(1))).await;
    assert_eq!(own(&storage, P0).await.last_commit, 3);
    assert_nothing_written(&storage).await;
}

pub(super) async fn a_commit_writes_many_threads(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let writes = (1..=200u8).map(|n| append(thread(n), texts("e", usize::from(n), 3)));
    owner.commit(|commit| commit.threads = writes.collect()).await;
    for n in 1..=200u8 {
        let journal = owner.load(thread(n)).await.journal;
        assert_eq!(journal, texts("e", usize::from(n), 3), "thread {n}");
    }
}

pub(super) async fn a_large_commit_is_whole(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut write = append(thread(1), texts("entry ", 0, 9_000));
    write.events = eventful(thread(1), run(1), 1, texts("event ", 0, 9_000)).events;
    owner
        .commit(|commit| {
            commit.threads.push(write);
            commit.orders = texts("", 0, 9_000).iter().map(|order| queued("q", order)).collect();
        })
        .await;
    assert_eq!(owner.load(thread(1)).await.journal.len(), 9_000);
    let events = storage.read_events(P0, run(1), 0, 100_000).await.expect("read_events succeeds");
    assert_eq!(events.len(), 9_000);
    assert_eq!(queued_texts(&storage, P0).await.len(), 9_000);
}

pub(super) async fn partitions_count_their_own_commits(storage: Shared) {
    let mut a = own(&storage, P0).await;
    let mut b = own(&storage, P1).await;
    for _ in 0..3 {
        a.commit(|_| {}).await;
    }
    b.commit(|_| {}).await;
    assert_eq!(own(&storage, P0).await.last_commit, 3);
    assert_eq!(own(&storage, P1).await.last_commit, 1);
}

pub(super) async fn concurrent_partitions_do_not_mix(storage: Shared) {
    let mut writers = Vec::new();
    for partition in [P0, P1, P2, P3] {
        let mut owner = own(&storage, partition).await;
        writers.push(tokio::spawn(async move {
            for n in 0..50 {
                let entry = bytes(format!("{partition} {n}"));
                owner.write(append(thread(1), vec![entry])).await;
            }
            (partition, owner.load(thread(1)).await.journal)
        }));
    }
    for writer in writers {
        let (partition, journal) = writer.await.expect("no panic");
        assert_eq!(journal, texts(&format!("{partition} "), 0, 50));
    }
}
