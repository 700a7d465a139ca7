//! Large commits.

use std::collections::HashSet;
use std::time::Duration;

use rethread_storage::{JournalWrite, Storage, ThreadWrite};

use crate::support::{P0, Space, commit, finished, orders, queues, text, thread, worker};

const MANY: usize = 20_000;

#[tokio::test]
async fn a_commit_may_hold_twenty_thousand_entries_and_orders() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    let mut wide = ThreadWrite::none(thread("wide"));
    wide.header = Some(text("header"));
    wide.journal = JournalWrite::Append((0..MANY).map(|n| text(format!("entry {n}"))).collect());
    write.threads.push(wide);
    write.orders = orders((0..MANY).map(|n| format!("order {n}")));
    space.storage.commit(write).await.expect("commits");

    let loaded = space.storage.load_thread(P0, thread("wide")).await.expect("loads");
    let journal = loaded.expect("is there").journal;
    assert_eq!(journal.len(), MANY);
    assert_eq!(journal[MANY - 1], text(format!("entry {}", MANY - 1)));
    let queued = space.storage.queued_orders(P0).await.expect("reads");
    assert_eq!(queued.len(), MANY);
    assert_eq!(queued[0].order, "order 0");

    let worker = worker("w");
    let mut seen = HashSet::new();
    while seen.len() < MANY {
        let taken = space.storage.fetch(&worker, &queues(), 4000, Duration::ZERO).await;
        let taken = taken.expect("fetches");
        assert!(!taken.is_empty(), "only {} orders came", seen.len());
        let parts = taken.iter().flat_map(|it| finished(it, "done")).collect();
        space.storage.hand_in(&worker, parts).await.expect("hands in");
        for delivery in taken {
            assert!(seen.insert(delivery.order), "an order came twice");
        }
    }
    assert!(space.storage.queued_orders(P0).await.expect("reads").is_empty());
    assert_eq!(crate::support::inbox(&space.storage).await.len(), MANY);

    let mut fold = commit(lease, last + 2);
    let mut wide = ThreadWrite::none(thread("wide"));
    wide.journal = JournalWrite::Replace(vec![text("folded")]);
    fold.threads.push(wide);
    space.storage.commit(fold).await.expect("commits");
    let loaded = space.storage.load_thread(P0, thread("wide")).await.expect("loads");
    assert_eq!(loaded.expect("is there").journal, ["folded"]);
}
