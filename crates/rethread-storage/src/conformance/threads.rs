//! Threads: header, journal, base, last event, activity.

use rethread_core::ids::{Millis, ThreadKey};

use super::kit::*;
use crate::{Activity, EventWrite, ThreadWrite};

fn active(thread: ThreadKey, activity: Activity) -> ThreadWrite {
    ThreadWrite { activity: Some(activity), ..headed(thread) }
}

pub(super) async fn an_unknown_thread_is_none(storage: Shared) {
    assert_eq!(storage.load_thread(P0, thread(1)).await, Ok(None));
}

pub(super) async fn a_thread_without_a_header_is_none(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(ThreadWrite { header: None, ..append(thread(1), texts("e", 0, 1)) }).await;
    assert_eq!(storage.load_thread(P0, thread(1)).await, Ok(None));
    owner.write(headed(thread(1))).await;
    assert_eq!(owner.load(thread(1)).await.journal, texts("e", 0, 1), "the entry was kept");
}

pub(super) async fn header_is_kept_and_replaced(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for value in awkward() {
        owner.write(ThreadWrite { header: Some(value.clone()), ..headed(thread(1)) }).await;
        owner.write(ThreadWrite::none(thread(1))).await;
        assert_eq!(owner.load(thread(1)).await.header, value);
    }
    let loaded = owner.load(thread(1)).await;
    assert_eq!((loaded.journal.len(), loaded.base, loaded.last_event), (0, None, None));
}

pub(super) async fn journal_appends_in_order(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for first in [0, 3, 6] {
        owner.write(append(thread(1), texts("e", first, 3))).await;
        owner.write(headed(thread(1))).await;
    }
    assert_eq!(owner.load(thread(1)).await.journal, texts("e", 0, 9));
}

pub(super) async fn journal_is_replaced(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(append(thread(1), texts("old", 0, 5))).await;
    owner.write(replace(thread(1), texts("new", 0, 2))).await;
    assert_eq!(owner.load(thread(1)).await.journal, texts("new", 0, 2));
}

pub(super) async fn journal_is_emptied(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(append(thread(1), texts("old", 0, 5))).await;
    owner.write(replace(thread(1), Vec::new())).await;
    let loaded = owner.load(thread(1)).await;
    assert!(loaded.journal.is_empty(), "{:?}", loaded.journal);
    assert_eq!(loaded.header, bytes("header"), "the thread itself stays");
}

pub(super) async fn journal_goes_on_after_a_replacement(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for round in 0..5 {
        owner.write(replace(thread(1), texts("e", round, 1))).await;
        owner.write(append(thread(1), texts("e", round + 1, 2))).await;
        assert_eq!(owner.load(thread(1)).await.journal, texts("e", round, 3), "round {round}");
    }
}

pub(super) async fn a_long_journal_keeps_its_order(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for part in 0..12 {
        owner.write(append(thread(1), texts("e", part * 1_000, 1_000))).await;
    }
    let journal = owner.load(thread(1)).await.journal;
    assert_eq!(journal.len(), 12_000);
    assert!(journal == texts("e", 0, 12_000), "entries come in the order of the appends");
}

pub(super) async fn a_long_journal_is_replaced(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(append(thread(1), texts("old", 0, 5_000))).await;
    owner.write(append(thread(2), texts("other", 0, 10))).await;
    owner.write(replace(thread(1), texts("new", 0, 3))).await;
    assert_eq!(owner.load(thread(1)).await.journal, texts("new", 0, 3));
    assert_eq!(owner.load(thread(2)).await.journal, texts("other", 0, 10), "another thread");
}

pub(super) async fn journal_entries_are_binary(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let mut entries = awkward();
    entries.push(mebibyte());
    owner.write(append(thread(1), entries.clone())).await;
    assert!(owner.load(thread(1)).await.journal == entries, "entries come back as they were");
}

pub(super) async fn base_is_the_checkpoint_named_last(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let checkpoints = checkpointed(thread(1), &[(1, "one"), (2, "two")]);
    owner.write(ThreadWrite { base: Some(checkpoint_id(1)), ..checkpoints }).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("one")), "it need not be the newest");
    owner.write(headed(thread(1))).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("one")), "it stays");
    owner.write(ThreadWrite { base: Some(checkpoint_id(2)), ..headed(thread(1)) }).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("two")), "it changes");
    owner.write(checkpointed(thread(1), &[(2, "second")])).await;
    assert_eq!(owner.load(thread(1)).await.base, Some(bytes("second")), "its record changes");
}

pub(super) async fn the_last_event_is_remembered(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    assert_eq!(storage.load_thread(P0, thread(1)).await, Ok(None));
    owner.write(eventful(thread(1), run(1), 1, texts("e", 1, 3))).await;
    assert_eq!(owner.load(thread(1)).await.last_event, Some((run(1), 3)));
    owner.write(headed(thread(1))).await;
    assert_eq!(owner.load(thread(1)).await.last_event, Some((run(1), 3)), "it stays");
    let two_runs = vec![
        EventWrite { run: run(1), first_seq: 4, records: texts("e", 4, 1), ends: true },
        EventWrite { run: run(2), first_seq: 1, records: texts("f", 1, 2), ends: false },
    ];
    owner.write(ThreadWrite { events: two_runs, ..headed(thread(1)) }).await;
    assert_eq!(owner.load(thread(1)).await.last_event, Some((run(2), 2)), "the last one written");
}

pub(super) async fn threads_are_isolated(storage: Shared) {
    let (mut a, mut b) = (own(&storage, P0).await, own(&storage, P1).await);
    a.write(append(thread(1), texts("a", 0, 1))).await;
    a.write(append(thread(2), texts("b", 0, 2))).await;
    b.write(append(thread(1), texts("c", 0, 3))).await;
    assert_eq!(a.load(thread(1)).await.journal, texts("a", 0, 1));
    assert_eq!(a.load(thread(2)).await.journal, texts("b", 0, 2));
    assert_eq!(b.load(thread(1)).await.journal, texts("c", 0, 3), "another partition");
    assert_eq!(storage.load_thread(P1, thread(2)).await, Ok(None));
}

pub(super) async fn active_threads_are_listed_with_their_times(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    let due = [0, 1, 1_700_000_000_000, 9_007_199_254_740_991];
    for (n, at) in (1u8..).zip(due) {
        owner.write(active(thread(n), Activity::Due(Millis(at)))).await;
    }
    owner.write(active(thread(2), Activity::Due(Millis(2)))).await;
    let mut listed = storage.active_threads(P0).await.expect("active_threads succeeds");
    listed.sort();
    let expected = [(1, due[0]), (2, 2), (3, due[2]), (4, due[3])];
    assert_eq!(listed, expected.map(|(n, at)| (thread(n), Millis(at))));
    assert_eq!(storage.active_threads(P1).await, Ok(Vec::new()), "another partition");
}

pub(super) async fn parked_threads_are_not_listed(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(active(thread(1), Activity::Due(Millis(0)))).await;
    owner.write(active(thread(2), Activity::Parked)).await;
    assert_eq!(storage.active_threads(P0).await, Ok(vec![(thread(1), Millis(0))]));
    owner.write(active(thread(1), Activity::Parked)).await;
    assert_eq!(storage.active_threads(P0).await, Ok(Vec::new()));
    assert_eq!(owner.load(thread(1)).await.header, bytes("header"), "a parked thread is kept");
}

pub(super) async fn activity_is_kept_when_not_written(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    owner.write(active(thread(1), Activity::Due(Millis(7)))).await;
    owner.write(append(thread(1), texts("e", 0, 1))).await;
    assert_eq!(storage.active_threads(P0).await, Ok(vec![(thread(1), Millis(7))]));
}

pub(super) async fn attached_handles_share_the_storage(storage: Shared) {
    let other = storage.attach().await.expect("attach succeeds");
    assert_eq!(other.partitions(), storage.partitions());
    assert_eq!(other.durability(), storage.durability());
    let mut owner = own(&other, P0).await;
    owner.write(append(thread(1), texts("e", 0, 1))).await;
    submit(&storage, P0, 1, "m").await;
    assert_eq!(inbox_texts(&other, P0).await, ["m"]);
    let loaded = storage.load_thread(P0, thread(1)).await.expect("load_thread succeeds");
    assert_eq!(loaded.map(|thread| thread.journal), Some(texts("e", 0, 1)));
}
