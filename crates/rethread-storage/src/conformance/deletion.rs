//! Deleting threads and dropping checkpoints.

use rethread_core::ids::Millis;

use super::kit::*;
use crate::{Activity, JournalWrite, StorageError, ThreadWrite};

fn deletion(n: u8) -> ThreadWrite {
    ThreadWrite { delete: true, ..ThreadWrite::none(thread(n)) }
}

/// A thread with everything that a thread can have.
fn full(n: u8, entries: usize, checkpoints: u128) -> ThreadWrite {
    let records: Vec<_> = (1..=checkpoints).map(|id| (id, "checkpoint")).collect();
    ThreadWrite {
        journal: JournalWrite::Append(texts("e", 0, entries)),
        base: Some(checkpoint_id(1)),
        events: eventful(thread(n), run(n.into()), 1, texts("v", 0, 3)).events,
        activity: Some(Activity::Due(Millis(7))),
        ..checkpointed(thread(n), &records)
    }
}

/// The ids of the checkpoints of a thread, newest first; their records are their ids.
async fn listed(storage: &Shared, n: u8) -> usize {
    let found = storage.list_checkpoints(P0, thread(n), None, 100_000).await;
    found.expect("list_checkpoints succeeds").len()
}

async fn assert_gone(storage: &Shared, n: u8) {
    assert_eq!(storage.load_thread(P0, thread(n)).await, Ok(None));
    assert_eq!(listed(storage, n).await, 0);
    assert_eq!(storage.read_checkpoint(P0, thread(n), checkpoint_id(1)).await, Ok(None));
    let active = storage.active_threads(P0).await.expect("active_threads succeeds");
    assert!(active.iter().all(|(active, _)| *active != thread(n)), "{active:?}");
}

pub(super) async fn a_deleted_thread_is_gone(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(full(1, 5, 3)).await;
    owner.write(deletion(1)).await;
    assert_gone(&storage, 1).await;
    owner.write(deletion(1)).await;
    assert_gone(&storage, 1).await;
    owner.write(headed(thread(1))).await;
    let loaded = owner.load(thread(1)).await;
    assert_eq!((loaded.journal.len(), loaded.base, loaded.last_event), (0, None, None));
}

pub(super) async fn deleting_an_unknown_thread_is_nothing(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(deletion(1)).await;
    assert_gone(&storage, 1).await;
}

pub(super) async fn a_deletion_leaves_other_threads(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut elsewhere = own(&storage, P1).await;
    for n in [1, 2, 3] {
        owner.write(full(n, 5, 3)).await;
    }
    elsewhere.write(full(2, 5, 3)).await;
    let before = (owner.load(thread(1)).await, owner.load(thread(3)).await);
    owner.write(deletion(2)).await;
    assert_gone(&storage, 2).await;
    assert_eq!((owner.load(thread(1)).await, owner.load(thread(3)).await), before);
    for n in [1, 3] {
        assert_eq!(listed(&storage, n).await, 3);
    }
    assert_eq!(elsewhere.load(thread(2)).await.journal.len(), 5, "of another partition");
    let active = storage.active_threads(P0).await.expect("active_threads succeeds");
    assert_eq!(active.len(), 2);
}

pub(super) async fn a_deletion_leaves_event_logs(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(full(1, 5, 3)).await;
    owner.write(deletion(1)).await;
    let events = storage.read_events(P0, run(1), 0, 10).await;
    assert_eq!(events, Ok(texts("v", 0, 3)), "readers of the run go on");
}

pub(super) async fn what_follows_a_deletion_in_its_write_stays(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(full(1, 200, 5)).await;
    let write = ThreadWrite {
        journal: JournalWrite::Append(texts("new", 0, 2)),
        base: Some(checkpoint_id(2)),
        events: eventful(thread(1), run(9), 1, texts("v", 0, 4)).events,
        activity: Some(Activity::Due(Millis(8))),
        delete: true,
        ..checkpointed(thread(1), &[(2, "new two"), (9, "new nine")])
    };
    owner.write(write).await;
    let loaded = owner.load(thread(1)).await;
    assert_eq!(loaded.journal, texts("new", 0, 2));
    assert_eq!(loaded.base, Some(bytes("new two")));
    assert_eq!(loaded.last_event, Some((run(9), 4)));
    assert_eq!(listed(&storage, 1).await, 2);
    assert_eq!(storage.active_threads(P0).await, Ok(vec![(thread(1), Millis(8))]));
}

pub(super) async fn a_deleted_thread_is_made_anew(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for round in 1..6_u128 {
        // Runs are never made anew: the events of each are numbered once.
        let events = eventful(thread(1), run(round), 1, texts("v", 0, 3)).events;
        owner.write(ThreadWrite { events, ..full(1, 3, 1) }).await;
        owner.write(replace(thread(1), texts("replaced", 0, 2))).await;
        owner.write(append(thread(1), texts("more", 0, 2))).await;
        let loaded = owner.load(thread(1)).await;
        let journal = [texts("replaced", 0, 2), texts("more", 0, 2)].concat();
        assert_eq!(loaded.journal, journal, "round {round}");
        assert_eq!(loaded.last_event, Some((run(round), 3)));
        owner.write(deletion(1)).await;
        assert_gone(&storage, 1).await;
    }
}

pub(super) async fn a_long_thread_is_deleted_and_made_anew(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(full(1, 3_000, 300)).await;
    owner.write(replace(thread(1), texts("replaced", 0, 3_000))).await;
    owner.write(deletion(1)).await;
    assert_gone(&storage, 1).await;
    let events = eventful(thread(1), run(2), 1, texts("v", 0, 3)).events;
    owner.write(ThreadWrite { events, ..full(1, 3_000, 4) }).await;
    owner.write(replace(thread(1), texts("new", 0, 1_000))).await;
    // What is cleaned up behind a deletion must not touch what came after it.
    for number in 0..20 {
        owner.write(append(thread(1), texts("more", number, 1))).await;
    }
    let journal = [texts("new", 0, 1_000), texts("more", 0, 20)].concat();
    assert!(owner.load(thread(1)).await.journal == journal, "only what was written since");
    assert_eq!(listed(&storage, 1).await, 4);
}

pub(super) async fn a_refused_deletion_deletes_nothing(storage: Shared) {
    let mut former = own(&storage, P0).await;
    former.write(full(1, 5, 3)).await;
    let before = former.load(thread(1)).await;
    let _owner = own(&storage, P0).await;
    let refused = former.try_commit(|commit| commit.threads.push(deletion(1))).await;
    assert_eq!(refused, Err(StorageError::Fenced { partition: P0 }));
    assert_eq!(former.load(thread(1)).await, before);
    assert_eq!(listed(&storage, 1).await, 3);
}

/// A change that drops checkpoints and writes others.
fn dropping(ids: &[u128], then: &[(u128, &str)]) -> ThreadWrite {
    let drop_checkpoints = ids.iter().map(|id| checkpoint_id(*id)).collect();
    ThreadWrite { drop_checkpoints, ..checkpointed(thread(1), then) }
}

async fn records(storage: &Shared) -> Vec<String> {
    let found = storage.list_checkpoints(P0, thread(1), None, 100_000).await;
    found.expect("list_checkpoints succeeds").iter().map(text).collect()
}

const FOUR: [(u128, &str); 4] = [(1, "a"), (2, "b"), (1 << 90, "c"), (1 << 120, "d")];

pub(super) async fn dropped_checkpoints_are_gone(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(checkpointed(thread(1), &FOUR)).await;
    owner.write(checkpointed(thread(2), &FOUR)).await;
    owner.write(dropping(&[2, 1 << 90], &[])).await;
    assert_eq!(records(&storage).await, ["d", "a"]);
    for (id, record) in FOUR {
        let is_dropped = ["b", "c"].contains(&record);
        let found = storage.read_checkpoint(P0, thread(1), checkpoint_id(id)).await;
        assert_eq!(found, Ok((!is_dropped).then(|| bytes(record))), "checkpoint {record}");
    }
    let page = storage.list_checkpoints(P0, thread(1), Some(checkpoint_id(1 << 90)), 10).await;
    assert_eq!(page, Ok(vec![bytes("a")]), "a list may start at one that is gone");
    assert_eq!(listed(&storage, 2).await, 4, "those of another thread stay");
}

pub(super) async fn a_dropped_checkpoint_is_written_again(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(checkpointed(thread(1), &FOUR)).await;
    owner.write(dropping(&[1, 2], &[(2, "new")])).await;
    assert_eq!(records(&storage).await, ["d", "c", "new"], "in the same write");
    owner.write(checkpointed(thread(1), &[(1, "again")])).await;
    assert_eq!(records(&storage).await, ["d", "c", "new", "again"], "and later");
}

pub(super) async fn a_dropped_base_is_not_loaded(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let base = Some(checkpoint_id(2));
    owner.write(ThreadWrite { base, ..checkpointed(thread(1), &FOUR) }).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("b")));
    owner.write(dropping(&[2], &[])).await;
    assert_eq!(owner.load(thread(1)).await.base, None);
    let base = Some(checkpoint_id(1));
    owner.write(ThreadWrite { base, ..headed(thread(1)) }).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("a")));
}

pub(super) async fn a_dropped_base_that_is_written_again_is_not_the_base(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(full(1, 1, 2)).await;
    let drop_checkpoints = vec![checkpoint_id(1)];
    let anew = checkpointed(thread(1), &[(1, "anew")]);
    owner.write(ThreadWrite { drop_checkpoints: drop_checkpoints.clone(), ..anew.clone() }).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("anew")), "in one write it stays");
    owner.write(ThreadWrite { drop_checkpoints, ..ThreadWrite::none(thread(1)) }).await;
    owner.write(anew.clone()).await;
    assert_eq!(owner.load(thread(1)).await.base, None, "until it is named");
    owner.write(ThreadWrite { base: Some(checkpoint_id(1)), ..anew }).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("anew")));
}

pub(super) async fn dropping_unknown_checkpoints_is_nothing(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(dropping(&[1, 7], &[])).await;
    owner.write(checkpointed(thread(1), &FOUR)).await;
    owner.write(dropping(&[7, 8], &[])).await;
    assert_eq!(records(&storage).await, ["d", "c", "b", "a"]);
}

pub(super) async fn many_checkpoints_are_dropped(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(full(1, 0, 2_000)).await;
    let ids: Vec<_> = (1..=1_990).collect();
    owner.write(dropping(&ids, &[])).await;
    assert_eq!(listed(&storage, 1).await, 10);
}
