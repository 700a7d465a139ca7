//! Checkpoints: by id, and listed newest first.

use bytes::Bytes;
use rethread_core::ids::ThreadKey;

use super::kit::*;
use crate::{CheckpointWrite, ThreadWrite};

async fn get(storage: &Shared, thread: ThreadKey, id: u128) -> Option<Bytes> {
    let found = storage.read_checkpoint(P0, thread, checkpoint_id(id)).await;
    found.expect("read_checkpoint succeeds")
}

async fn list(storage: &Shared, before: Option<u128>, max: usize) -> Vec<String> {
    let before = before.map(checkpoint_id);
    let found = storage.list_checkpoints(P0, thread(1), before, max).await;
    found.expect("list_checkpoints succeeds").iter().map(text).collect()
}

/// Five checkpoints, whose ids do not sort as the text of small numbers would.
const FIVE: [(u128, &str); 5] =
    [(2, "a"), (10, "b"), (1 << 40, "c"), (1 << 90, "d"), ((1 << 120) + 1, "e")];

pub(super) async fn a_checkpoint_is_read_by_its_id(storage: Shared) {
    own(&storage, P0).await.write(checkpointed(thread(1), &FIVE)).await;
    for (id, record) in FIVE {
        assert_eq!(get(&storage, thread(1), id).await, Some(bytes(record)), "checkpoint {id}");
    }
}

pub(super) async fn an_unknown_checkpoint_is_none(storage: Shared) {
    assert_eq!(get(&storage, thread(1), 1).await, None, "of an unknown thread");
    own(&storage, P0).await.write(checkpointed(thread(1), &FIVE)).await;
    assert_eq!(get(&storage, thread(1), 3).await, None, "of a known thread");
}

pub(super) async fn a_checkpoint_is_replaced(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(checkpointed(thread(1), &FIVE)).await;
    owner.write(checkpointed(thread(1), &[(10, "new")])).await;
    assert_eq!(get(&storage, thread(1), 10).await, Some(bytes("new")));
    assert_eq!(list(&storage, None, 10).await, ["e", "d", "c", "new", "a"], "listed once");
}

pub(super) async fn checkpoints_are_listed_newest_first(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for (id, record) in [FIVE[3], FIVE[0], FIVE[4], FIVE[2], FIVE[1]] {
        owner.write(checkpointed(thread(1), &[(id, record)])).await;
    }
    assert_eq!(list(&storage, None, 10).await, ["e", "d", "c", "b", "a"]);
}

pub(super) async fn a_list_starts_before_a_checkpoint(storage: Shared) {
    own(&storage, P0).await.write(checkpointed(thread(1), &FIVE)).await;
    assert_eq!(list(&storage, Some(1 << 40), 10).await, ["b", "a"], "that one is not in it");
    assert_eq!(list(&storage, Some(11), 10).await, ["b", "a"], "an id that does not exist");
    assert_eq!(list(&storage, Some(2), 10).await, [""; 0], "before the oldest");
    assert_eq!(list(&storage, Some(u128::MAX), 10).await.len(), 5, "before the end");
}

pub(super) async fn a_list_stops_at_the_maximum(storage: Shared) {
    own(&storage, P0).await.write(checkpointed(thread(1), &FIVE)).await;
    assert_eq!(list(&storage, None, 2).await, ["e", "d"]);
    assert_eq!(list(&storage, Some(1 << 90), 2).await, ["c", "b"], "the next page");
    assert_eq!(list(&storage, None, 0).await, [""; 0]);
}

pub(super) async fn checkpoints_of_threads_are_isolated(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(checkpointed(thread(1), &[(5, "mine")])).await;
    owner.write(checkpointed(thread(2), &[(5, "yours"), (6, "yours too")])).await;
    own(&storage, P1).await.write(checkpointed(thread(1), &[(7, "elsewhere")])).await;
    assert_eq!(list(&storage, None, 10).await, ["mine"]);
    assert_eq!(get(&storage, thread(2), 5).await, Some(bytes("yours")));
    assert_eq!(get(&storage, thread(1), 7).await, None, "of another partition");
}

pub(super) async fn checkpoints_are_binary(storage: Shared) {
    let mut records = awkward();
    records.push(mebibyte());
    let writes = (1..)
        .zip(&records)
        .map(|(id, record)| CheckpointWrite { id: checkpoint_id(id), record: record.clone() });
    let write = ThreadWrite { checkpoints: writes.collect(), ..headed(thread(1)) };
    own(&storage, P0).await.write(write).await;
    let listed = storage.list_checkpoints(P0, thread(1), None, 100).await;
    let listed = listed.expect("list_checkpoints succeeds");
    assert!(listed.iter().rev().eq(&records), "records come back as they were");
}
