//! What is left of threads and checkpoints that are removed.

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
    write.threads.push(full("other", 3));
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
    assert_eq!(left.len(), 4, "{left:?}");
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
