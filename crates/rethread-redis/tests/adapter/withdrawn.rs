//! Orders that are withdrawn.

use std::time::Duration;

use rethread_core::ids::QueueName;
use rethread_storage::{OrderGroup, QueuedOrder, Storage};

use crate::support::{P0, Space, commit, finished, inbox, orders, queues, text, worker};

const LONG: Duration = Duration::from_secs(600);

fn order(group: u8, queue: &QueueName, record: &str) -> QueuedOrder {
    QueuedOrder { queue: queue.clone(), group: OrderGroup([group; 16]), order: text(record) }
}

async fn left(space: &Space) -> Vec<(OrderGroup, String)> {
    let left = space.storage.queued_orders(P0).await.expect("reads");
    let read = |it: QueuedOrder| (it.group, String::from_utf8_lossy(&it.order).into_owned());
    left.into_iter().map(read).collect()
}

#[tokio::test]
async fn a_withdrawn_order_is_gone_for_the_worker_that_has_it_and_for_those_that_would_get_it() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let queue = &queues()[0];
    let other = QueueName::new("other").expect("a name");
    let mut write = commit(lease, last + 1);
    write.orders =
        vec![order(1, queue, "held"), order(2, queue, "stays"), order(1, &other, "queued")];
    space.storage.commit(write).await.expect("commits");
    let name = worker("w");
    space.storage.heartbeat(&name, &queues()).await.expect("beats");
    let taken = space.storage.fetch(&name, &queues(), 1, LONG).await.expect("fetches").remove(0);
    assert_eq!(taken.order, "held");

    let mut write = commit(lease, last + 2);
    write.withdrawn = vec![OrderGroup([1; 16]), OrderGroup([9; 16])];
    write.orders = vec![order(1, &other, "again")];
    space.storage.commit(write.clone()).await.expect("commits");
    // Sent again it has no second effect: what entered with it stays.
    space.storage.commit(write).await.expect("commits");
    let expected = [(2, "stays"), (1, "again")];
    let mut expected: Vec<_> =
        expected.map(|(group, record)| (OrderGroup([group; 16]), record.to_owned())).into();
    let mut found = left(&space).await;
    expected.sort();
    found.sort();
    assert_eq!(found, expected);

    let receipts = [taken.receipt.clone()];
    assert_eq!(space.storage.confirm(&name, &receipts).await, Ok(vec![false]));
    space.storage.hand_in(&name, finished(&taken, "too late")).await.expect("hands in");
    assert!(inbox(&space.storage).await.is_empty());
    let others = worker("x");
    space.storage.heartbeat(&others, &queues()).await.expect("beats");
    let reclaimed = space.storage.reclaim(&others, &queues(), Duration::ZERO, 9).await;
    assert_eq!(reclaimed, Ok(Vec::new()));
    space.storage.retire(&name, &queues()).await.expect("retires");
    assert_eq!(left(&space).await.len(), 2);
}

#[tokio::test]
async fn orders_keep_their_group_when_they_are_put_back() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.orders = vec![order(3, &queues()[0], "order")];
    space.storage.commit(write).await.expect("commits");
    let name = worker("w");
    space.storage.fetch(&name, &queues(), 1, LONG).await.expect("fetches");
    space.storage.retire(&name, &queues()).await.expect("retires");
    assert_eq!(left(&space).await, [(OrderGroup([3; 16]), "order".to_owned())]);
    let mut write = commit(lease, last + 2);
    write.withdrawn = vec![OrderGroup([3; 16])];
    space.storage.commit(write).await.expect("commits");
    assert!(left(&space).await.is_empty());
}

#[tokio::test]
async fn thousands_of_orders_are_withdrawn_at_once_and_the_others_stay() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let mut write = commit(lease, last + 1);
    write.orders = (0..5_000)
        .map(|n| order((n % 2) as u8, &queues()[0], &format!("order {n}")))
        .chain(orders(["last".to_owned()]))
        .collect();
    space.storage.commit(write).await.expect("commits");
    let name = worker("w");
    space.storage.fetch(&name, &queues(), 3_000, LONG).await.expect("fetches");
    let mut write = commit(lease, last + 2);
    write.withdrawn = vec![OrderGroup([0; 16])];
    space.storage.commit(write).await.expect("commits");
    let left = left(&space).await;
    assert_eq!(left.len(), 2_501);
    assert!(left.iter().all(|(group, _)| *group == OrderGroup([1; 16])));
}

/// Queues are looked through a part at a time, and what is put back meanwhile is found too.
#[tokio::test]
async fn large_orders_and_many_queues_are_looked_through_part_by_part() {
    let space = Space::new().await;
    let (lease, last) = space.own(P0).await;
    let names: Vec<_> = (0..5).map(|n| QueueName::new(format!("q{n}")).expect("a name")).collect();
    let large = "x".repeat(300_000);
    let mut number = last;
    for name in &names {
        number += 1;
        let mut write = commit(lease, number);
        write.orders =
            (0..20).map(|n| order(n % 3, name, if n < 10 { &large } else { "small" })).collect();
        space.storage.commit(write).await.expect("commits");
    }
    number += 1;
    let mut write = commit(lease, number);
    write.withdrawn = vec![OrderGroup([0; 16]), OrderGroup([2; 16])];
    space.storage.commit(write).await.expect("commits");
    let left = left(&space).await;
    assert_eq!(left.len(), 7 * names.len());
    assert!(left.iter().all(|(group, _)| *group == OrderGroup([1; 16])));
}

#[tokio::test]
async fn an_order_is_withdrawn_however_often_it_is_put_back_meanwhile() {
    let space = Space::new().await;
    let storage = std::sync::Arc::new(space.storage.attach().await.expect("attaches"));
    let (lease, last) = space.own(P0).await;
    for round in 0..20 {
        let mut write = commit(lease, last + 1 + 2 * round);
        write.orders = (0..50).map(|n| order(1, &queues()[0], &n.to_string())).collect();
        space.storage.commit(write).await.expect("commits");
        let giver = {
            let storage = std::sync::Arc::clone(&storage);
            tokio::spawn(async move {
                let name = worker("giver");
                for _ in 0..5 {
                    storage.heartbeat(&name, &queues()).await.expect("beats");
                    storage.fetch(&name, &queues(), 9, Duration::ZERO).await.expect("fetches");
                    storage.retire(&name, &queues()).await.expect("retires");
                }
            })
        };
        let mut write = commit(lease, last + 2 + 2 * round);
        write.withdrawn = vec![OrderGroup([1; 16])];
        space.storage.commit(write).await.expect("commits");
        giver.await.expect("gives back");
        assert_eq!(left(&space).await, [], "round {round}");
    }
}
