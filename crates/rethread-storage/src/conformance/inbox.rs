//! Inboxes: what is accepted, in which order, and until when.

use std::sync::Arc;

use super::INBOX_MAX;
use super::kit::*;
use crate::{InboxCursor, StorageError};

pub(super) async fn an_empty_inbox_gives_nothing(storage: Shared) {
    assert_eq!(inbox(&storage, P0).await, []);
}

pub(super) async fn messages_come_in_order(storage: Shared) {
    for n in 0..20 {
        submit(&storage, P0, n, &format!("m{n}")).await;
    }
    let items = inbox(&storage, P0).await;
    let expected = texts("m", 0, 20);
    assert!(items.iter().map(|item| &item.message).eq(&expected), "{items:?}");
    assert!(items.iter().all(|item| item.partition == P0), "items name their partition");
    assert!(items.windows(2).all(|i| i[0].cursor < i[1].cursor), "cursors grow: {items:?}");
    assert!(items[0].cursor > InboxCursor::START, "START stands before all");
}

pub(super) async fn a_message_is_submitted_once(storage: Shared) {
    for _ in 0..3 {
        submit(&storage, P0, 7, "once").await;
    }
    submit(&storage, P0, 8, "other").await;
    assert_eq!(inbox_texts(&storage, P0).await, ["once", "other"]);
}

pub(super) async fn an_op_id_counts_after_its_message_is_consumed(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    submit(&storage, P0, 7, "once").await;
    let cursor = inbox(&storage, P0).await[0].cursor;
    owner.consume(cursor).await;
    submit(&storage, P0, 7, "once").await;
    assert_eq!(inbox_texts(&storage, P0).await, [""; 0], "it was accepted before");
}

pub(super) async fn op_ids_count_per_partition(storage: Shared) {
    submit(&storage, P0, 7, "zero").await;
    submit(&storage, P1, 7, "one").await;
    assert_eq!(inbox_texts(&storage, P0).await, ["zero"]);
    assert_eq!(inbox_texts(&storage, P1).await, ["one"]);
}

pub(super) async fn reading_goes_on_behind_a_cursor(storage: Shared) {
    for n in 0..4 {
        submit(&storage, P0, n, &format!("m{n}")).await;
    }
    let cursor = inbox(&storage, P0).await[1].cursor;
    let rest = read(&storage, P0, cursor, 100).await;
    assert!(rest.iter().map(|item| &item.message).eq(&texts("m", 2, 2)), "{rest:?}");
    submit(&storage, P0, 4, "m4").await;
    let rest = read(&storage, P0, rest[1].cursor, 100).await;
    assert!(rest.iter().map(|item| &item.message).eq(&texts("m", 4, 1)), "{rest:?}");
}

pub(super) async fn reading_stops_at_the_maximum(storage: Shared) {
    for n in 0..50 {
        submit(&storage, P0, n, &format!("m{n}")).await;
    }
    let (mut cursor, mut found) = (InboxCursor::START, Vec::new());
    loop {
        let page = read(&storage, P0, cursor, 7).await;
        assert!(page.len() < 50, "a page is about 7 messages, this one has {}", page.len());
        let Some(last) = page.last() else { break };
        cursor = last.cursor;
        found.extend(page.into_iter().map(|item| item.message));
    }
    assert_eq!(found, texts("m", 0, 50), "pages are gapless");
}

pub(super) async fn unconsumed_messages_are_read_again(storage: Shared) {
    submit(&storage, P0, 1, "m").await;
    assert_eq!(inbox(&storage, P0).await, inbox(&storage, P0).await);
    assert_eq!(inbox_texts(&storage, P0).await, ["m"]);
}

pub(super) async fn a_commit_consumes_up_to_its_cursor(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for n in 0..5 {
        submit(&storage, P0, n, &format!("m{n}")).await;
    }
    let items = inbox(&storage, P0).await;
    owner.consume(items[2].cursor).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["m3", "m4"]);
    owner.consume(items[4].cursor).await;
    assert_eq!(inbox_texts(&storage, P0).await, [""; 0]);
    submit(&storage, P0, 9, "m9").await;
    let later = read(&storage, P0, items[4].cursor, 10).await;
    assert_eq!(later.len(), 1, "a new message stands behind all consumed ones");
}

pub(super) async fn a_commit_consumes_single_messages(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for n in 0..6 {
        submit(&storage, P0, n, &format!("m{n}")).await;
    }
    let cursors: Vec<_> = inbox(&storage, P0).await.iter().map(|item| item.cursor).collect();
    owner.commit(|commit| commit.consumed_beyond = vec![cursors[2]]).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["m0", "m1", "m3", "m4", "m5"]);

    let mut both = owner.next();
    both.consumed = Some(cursors[0]);
    both.consumed_beyond = vec![cursors[2], cursors[3], cursors[5]];
    for _ in 0..2 {
        assert_eq!(storage.commit(both.clone()).await, Ok(()));
        assert_eq!(inbox_texts(&storage, P0).await, ["m1", "m4"], "a repetition takes no more");
    }

    let mut next = own(&storage, P0).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["m1", "m4"], "the next owner finds the others");
    submit(&storage, P0, 9, "m9").await;
    let later = read(&storage, P0, cursors[5], 10).await;
    assert_eq!(later.len(), 1, "a new message stands behind all consumed ones");
    next.consume(cursors[4]).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["m9"]);
}

pub(super) async fn many_single_messages_are_consumed(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    for n in 0..2_500 {
        submit(&storage, P0, n, &format!("m{n}")).await;
    }
    let items = read(&storage, P0, InboxCursor::START, 3_000).await;
    let beyond = items[1..].iter().map(|item| item.cursor).collect();
    owner.commit(|commit| commit.consumed_beyond = beyond).await;
    assert_eq!(inbox_texts(&storage, P0).await, ["m0"]);
}

pub(super) async fn several_partitions_are_read_at_once(storage: Shared) {
    submit(&storage, P0, 1, "zero").await;
    submit(&storage, P2, 2, "two").await;
    submit(&storage, P0, 3, "zero again").await;
    let from = [P0, P1, P2].map(|partition| (partition, InboxCursor::START));
    let items = storage.read_inboxes(&from, 10, NO_WAIT).await.expect("read_inboxes succeeds");
    let of = |partition| -> Vec<_> {
        let ours = items.iter().filter(|item| item.partition == partition);
        ours.map(|item| text(&item.message)).collect()
    };
    assert_eq!(of(P0), ["zero", "zero again"]);
    assert_eq!(of(P1), [""; 0]);
    assert_eq!(of(P2), ["two"]);
}

pub(super) async fn inboxes_are_isolated(storage: Shared) {
    let mut owner = own(&storage, P0).await;
    submit(&storage, P0, 1, "zero").await;
    submit(&storage, P1, 2, "one").await;
    let cursor = inbox(&storage, P0).await[0].cursor;
    owner.consume(cursor).await;
    assert_eq!(inbox_texts(&storage, P0).await, [""; 0]);
    assert_eq!(inbox_texts(&storage, P1).await, ["one"], "another partition consumed its own");
}

pub(super) async fn a_waiting_reader_is_woken(storage: Shared) {
    let reader = Arc::clone(&storage);
    let waiting = tokio::spawn(async move {
        let from = [P0, P1].map(|partition| (partition, InboxCursor::START));
        reader.read_inboxes(&from, 10, PATIENT).await
    });
    tokio::time::sleep(BRIEF).await;
    submit(&storage, P1, 1, "ding").await;
    let items = waiting.await.expect("no panic").expect("read_inboxes succeeds");
    assert_eq!(items.len(), 1, "the wait ends with the message");
    assert_eq!(text(&items[0].message), "ding");
}

pub(super) async fn a_waiting_reader_gives_up(storage: Shared) {
    let from = [(P0, InboxCursor::START)];
    let items = storage.read_inboxes(&from, 10, BRIEF).await.expect("a wait may end empty");
    assert_eq!(items, []);
}

pub(super) async fn a_waiting_reader_ignores_other_partitions(storage: Shared) {
    let reader = Arc::clone(&storage);
    let waiting =
        tokio::spawn(
            async move { reader.read_inboxes(&[(P0, InboxCursor::START)], 10, PATIENT).await },
        );
    tokio::time::sleep(BRIEF).await;
    submit(&storage, P1, 1, "not for you").await;
    submit(&storage, P0, 2, "for you").await;
    let items = waiting.await.expect("no panic").expect("read_inboxes succeeds");
    assert_eq!(items.len(), 1);
    assert_eq!(text(&items[0].message), "for you");
}

pub(super) async fn messages_are_binary(storage: Shared) {
    for (n, value) in awkward().into_iter().enumerate() {
        storage.submit(P0, op(n as u128), value).await.expect("submit succeeds");
    }
    let found: Vec<_> = inbox(&storage, P0).await.into_iter().map(|item| item.message).collect();
    assert_eq!(found, awkward());
}

pub(super) async fn large_messages_survive(storage: Shared) {
    storage.submit(P0, op(1), mebibyte()).await.expect("submit succeeds");
    let items = inbox(&storage, P0).await;
    assert_eq!(items.len(), 1);
    assert!(items[0].message == mebibyte(), "a mebibyte comes back as it was");
}

pub(super) async fn concurrent_submits_are_all_kept_in_one_order(storage: Shared) {
    let submits: Vec<_> = (0..50u128)
        .map(|n| {
            let storage = Arc::clone(&storage);
            tokio::spawn(async move {
                for nth in 0..4u128 {
                    submit(&storage, P0, n * 4 + nth, &format!("{n:02}/{nth}")).await;
                }
            })
        })
        .collect();
    // Reads while the messages come in: nothing may appear behind the cursor.
    let (mut cursor, mut seen) = (InboxCursor::START, Vec::new());
    while seen.len() < 200 {
        let from = [(P0, cursor)];
        let page = storage.read_inboxes(&from, 64, PATIENT).await.expect("read_inboxes succeeds");
        assert!(!page.is_empty(), "{} of 200 messages came", seen.len());
        cursor = page[page.len() - 1].cursor;
        seen.extend(page.iter().map(|item| text(&item.message)));
    }
    for submit in submits {
        submit.await.expect("no panic");
    }
    assert_eq!(inbox_texts(&storage, P0).await, seen, "all readers see one order");
    for n in 0..50 {
        let own: Vec<_> = seen.iter().filter(|m| m.starts_with(&format!("{n:02}/"))).collect();
        let sorted = own.is_sorted();
        assert!(sorted && own.len() == 4, "one submitter's messages keep their order: {own:?}");
    }
}

/// Submits so many messages at the same time.
async fn submit_many(storage: &Shared, first: u128, count: usize) {
    let mut submits = tokio::task::JoinSet::new();
    for n in 0..count as u128 {
        let storage = Arc::clone(storage);
        submits.spawn(async move { submit(&storage, P0, first + n, "m").await });
    }
    submits.join_all().await;
}

pub(super) async fn a_full_inbox_refuses_new_messages(storage: Shared) {
    let max = usize::try_from(INBOX_MAX).expect("invariant: it is small");
    submit_many(&storage, 0, max).await;
    let refused = storage.submit(P0, op(1 << 64), bytes("one too many")).await;
    assert_eq!(refused, Err(StorageError::Overloaded { partition: P0, waiting: INBOX_MAX }));
    submit(&storage, P0, 0, "m").await;
    submit(&storage, P1, 1 << 64, "elsewhere").await;
    assert_eq!(inbox(&storage, P0).await.len(), max, "what is there already is no news");
}

pub(super) async fn a_full_inbox_takes_what_workers_hand_in(storage: Shared) {
    let max = usize::try_from(INBOX_MAX).expect("invariant: it is small");
    own(&storage, P0).await.order("q", &texts("o", 0, 1)).await;
    let found = fetch(&storage, "w", &["q"], 1).await;
    submit_many(&storage, 0, max).await;
    finish(&storage, "w", &found[0].receipt, &["done", "and done"]).await;
    let waiting = INBOX_MAX + 2;
    assert_eq!(inbox(&storage, P0).await.len() as u64, waiting);
    let refused = storage.submit(P0, op(1 << 64), bytes("one too many")).await;
    assert_eq!(refused, Err(StorageError::Overloaded { partition: P0, waiting }));
}

pub(super) async fn a_full_inbox_has_room_again(storage: Shared) {
    let max = usize::try_from(INBOX_MAX).expect("invariant: it is small");
    let mut owner = own(&storage, P0).await;
    submit_many(&storage, 0, max).await;
    let items = inbox(&storage, P0).await;
    let refused = storage.submit(P0, op(1 << 64), bytes("refused")).await;
    assert!(matches!(refused, Err(StorageError::Overloaded { .. })), "{refused:?}");
    owner.commit(|commit| commit.consumed_beyond = vec![items[5].cursor]).await;
    submit(&storage, P0, 1 << 64, "taken").await;
    let items = inbox(&storage, P0).await;
    assert_eq!(items.len(), max);
    assert_eq!(items[max - 1].message, "taken", "the refusal is forgotten");
    owner.consume(items[max - 1].cursor).await;
    submit(&storage, P0, (1 << 64) + 1, "taken too").await;
}
