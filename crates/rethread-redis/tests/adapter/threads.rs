//! What is left of threads and checkpoints that are removed.

use std::collections::BTreeMap;

use bytes::Bytes;
use rethread_core::ids::{CheckpointId, Millis, RunId};
use rethread_storage::{Activity, CheckpointWrite, JournalWrite, Storage, ThreadWrite};
use uuid::Uuid;

use crate::support::{P0, Space, commit, events_of, run, text, thread};

fn id(n: u128) -> CheckpointId {
    CheckpointId::from_uuid(Uuid::from_u128(n))
}

fn full(name: &str, checkpoints: u128) -> ThreadWrite {
    let mut write = ThreadWrite::none(thread(name));
    write.header = Some(text("header"));
    write.journal = JournalWrite::Append(vec![text("entry")]);
    write.checkpoints = (1..=checkpoints)
        .map(|n| CheckpointWrite { id: id(n), record: text(n.to_string()) })
        .collect();
    write.base = Some(id(checkpoints));
    write.activity = Some(Activity::Due(Millis(0)));
    write
}

#[tokio::test]
async fn a_deleted_thread_leaves_its_event_logs_only() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.threads.push(full("t", 3));
    write.threads.push(full("other", 300));
    space.storage.commit(write).await.expect("commits");

    let mut delete = commit(lease, last + 2);
    let mut deleted = events_of(run(), 1, &["deleted"], true);
    deleted.header = None;
    deleted.delete = true;
    delete.threads.push(deleted);
    space.storage.commit(delete.clone()).await.expect("commits");
    assert_eq!(space.storage.load_thread(P0, thread("t")).await, Ok(None));
    assert_eq!(space.storage.read_checkpoint(P0, thread("t"), id(1)).await, Ok(None));
    let active = space.storage.active_threads(P0).await.expect("lists");
    assert_eq!(active, [(thread("other"), Millis(0))]);
    let other = thread("other").to_string();
    let left = space.keys(":t:").await;
    assert_eq!(left.len(), 3, "{left:?}");
    assert!(left.iter().all(|key| key.contains(&other)), "{left:?}");
    assert_eq!(space.keys(":e:").await.len(), 1);

    // Nor does a request that is refused since its thread is not there.
    let mut refuse = commit(lease, last + 3);
    let mut refused = events_of(RunId::from_uuid(Uuid::from_u128(9)), 1, &["refused"], true);
    refused.header = None;
    refuse.threads.push(refused);
    space.storage.commit(refuse).await.expect("commits");
    assert_eq!(space.keys(":t:").await, left);

    // What the same commit writes afterwards stands.
    let mut again = commit(lease, last + 4);
    let mut anew = full("other", 1);
    anew.delete = true;
    again.threads.push(anew);
    space.storage.commit(again).await.expect("commits");
    let loaded = space.storage.load_thread(P0, thread("other")).await.expect("loads");
    let loaded = loaded.expect("is there");
    assert_eq!(loaded.journal, ["entry"]);
    assert_eq!(loaded.base, Some(text("1")));
    let listed = space.storage.list_checkpoints(P0, thread("other"), None, 9).await;
    assert_eq!(listed.expect("lists"), ["1"]);
}

#[tokio::test]
async fn thousands_of_checkpoints_are_dropped_by_one_commit() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.threads.push(full("t", 9_000));
    space.storage.commit(write).await.expect("commits");

    let mut drop = commit(lease, last + 2);
    let mut pruned = ThreadWrite::none(thread("t"));
    // One that is written again is replaced, and ids that are not there are passed over.
    pruned.drop_checkpoints = (2..=8_999).chain([20_000]).map(id).collect();
    pruned.checkpoints = vec![CheckpointWrite { id: id(5), record: text("again") }];
    pruned.journal = JournalWrite::Append(vec![text("more")]);
    drop.threads.push(pruned);
    space.storage.commit(drop).await.expect("commits");
    let list = async || {
        space.storage.list_checkpoints(P0, thread("t"), None, 10_000).await.expect("lists")
    };
    assert_eq!(list().await, ["9000", "again", "1"]);
    let loaded =
        space.storage.load_thread(P0, thread("t")).await.expect("loads").expect("is there");
    assert_eq!(loaded.base, Some(text("9000")));
    assert_eq!(loaded.journal, ["entry", "more"]);

    // The base goes with its checkpoint.
    let mut drop = commit(lease, last + 3);
    let mut pruned = ThreadWrite::none(thread("t"));
    pruned.drop_checkpoints = vec![id(9_000), id(1), id(5)];
    drop.threads.push(pruned);
    space.storage.commit(drop).await.expect("commits");
    assert!(list().await.is_empty());
    let loaded =
        space.storage.load_thread(P0, thread("t")).await.expect("loads").expect("is there");
    assert_eq!((loaded.header, loaded.base), (text("header"), None));
    assert!(space.keys(":c").await.is_empty());
}

/// Checkpoints stand beside the header as long as they are small together, and nobody can tell.
#[tokio::test]
async fn checkpoints_are_the_same_wherever_they_stand() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut number = last;
    let mut expected = BTreeMap::new();
    let mut apart = Vec::new();
    // Of each: id, and size of its record.
    let steps = [(5, 300), (3, 0), (9, 700), (5, 400), (7, 900), (4, 1), (9, 3_000), (5, 2)];
    for (n, size) in steps {
        number += 1;
        let record = Bytes::from(vec![n as u8; size]);
        let mut write = commit(lease, number);
        let mut one = ThreadWrite::none(thread("t"));
        one.header = Some(text("header"));
        one.checkpoints = vec![CheckpointWrite { id: id(n), record: record.clone() }];
        one.base = Some(id(3));
        write.threads.push(one);
        space.storage.commit(write).await.expect("commits");
        expected.insert(n, record);
        let storage = &space.storage;
        for n in 0..11 {
            let found = storage.read_checkpoint(P0, thread("t"), id(n)).await;
            assert_eq!(found, Ok(expected.get(&n).cloned()), "{n}");
            for max in [0, 1, 2, 9] {
                let before = storage.list_checkpoints(P0, thread("t"), Some(id(n)), max).await;
                let newest = expected.range(..n).rev().take(max);
                assert_eq!(before, Ok(newest.map(|(_, record)| record.clone()).collect()));
            }
        }
        let all = storage.list_checkpoints(P0, thread("t"), None, 9).await.expect("lists");
        assert_eq!(all, expected.values().rev().cloned().collect::<Vec<_>>());
        if let Some(base) = expected.get(&3) {
            let loaded = storage.load_thread(P0, thread("t")).await.expect("loads");
            assert_eq!(loaded.expect("is there").base.as_ref(), Some(base));
        }
        apart.push(!space.keys(":c").await.is_empty());
    }
    assert_eq!(apart, [false, false, false, false, true, true, true, true]);
}

#[tokio::test]
async fn checkpoints_beside_the_header_are_dropped_and_the_base_with_them() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.threads.push(full("t", 5));
    space.storage.commit(write).await.expect("commits");
    let mut number = last + 1;
    let mut base_after = async |drop: &[u128]| {
        number += 1;
        let mut write = commit(lease, number);
        let mut pruned = ThreadWrite::none(thread("t"));
        pruned.drop_checkpoints = drop.iter().copied().map(id).collect();
        write.threads.push(pruned);
        space.storage.commit(write).await.expect("commits");
        let loaded = space.storage.load_thread(P0, thread("t")).await.expect("loads");
        let listed = space.storage.list_checkpoints(P0, thread("t"), None, 9).await;
        (loaded.expect("is there").base, listed.expect("lists"))
    };
    assert_eq!(
        base_after(&[2, 4, 8]).await,
        (Some(text("5")), vec!["5", "3", "1"].into_iter().map(text).collect())
    );
    assert_eq!(base_after(&[5]).await, (None, vec![text("3"), text("1")]));
    assert_eq!(base_after(&[1, 3]).await, (None, Vec::new()));
    assert_eq!(space.keys(":t:").await.len(), 1);
}

/// Only what answers a request is written of a thread without a header.
#[tokio::test]
async fn a_thread_without_a_header_is_not_there_whatever_is_written_of_it() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    let watched = run();
    let mut headless = events_of(watched, 1, &["e"], false);
    headless.header = None;
    headless.journal = JournalWrite::Append(vec![text("entry")]);
    headless.checkpoints = vec![CheckpointWrite { id: id(1), record: text("1") }];
    headless.base = Some(id(1));
    write.threads.push(headless);
    space.storage.commit(write).await.expect("commits");
    assert_eq!(space.storage.load_thread(P0, thread("t")).await, Ok(None));
    assert_eq!(space.storage.read_header(P0, thread("t")).await, Ok(None));
    let page = space.storage.list_threads(P0, None, 9).await.expect("lists");
    assert_eq!(page.threads, []);

    let mut write = commit(lease, last + 2);
    let mut headed = ThreadWrite::none(thread("t"));
    headed.header = Some(text("header"));
    write.threads.push(headed);
    space.storage.commit(write).await.expect("commits");
    let loaded = space.storage.load_thread(P0, thread("t")).await.expect("loads");
    let loaded = loaded.expect("is there");
    assert_eq!(loaded.header, "header");
    assert_eq!((loaded.journal, loaded.base), (vec![text("entry")], Some(text("1"))));
    assert_eq!(loaded.last_event, None);
}
