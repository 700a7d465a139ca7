//! How several coordinators share the partitions.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rethread_core::ids::{NodeId, PartitionId};
use rethread_runtime::{Node, NodeOptions, PoolOptions, Threads};
use rethread_sdk::Registry;
use rethread_storage::Acquisition;
use tokio::time::timeout;

use crate::faulty::Faulty;
use crate::runs::doubling;
use crate::support::{self, Counter, DEADLINE, Driver, start};

/// Leases that end in no test.
const ENDLESS: Duration = Duration::from_secs(100_000);

/// A coordinator without workers, on the runtime of the test.
pub(crate) fn coordinator(name: &str, driver: &Driver, registry: Registry) -> NodeOptions {
    let mut options = support::coordinator(name, driver, registry);
    options.threads = Threads::Caller;
    options
}

fn nothing() -> Registry {
    Registry::builder().build().expect("builds")
}

async fn idle(name: &str, driver: &Driver, lease_ttl: Duration) -> Node {
    let mut options = coordinator(name, driver, nothing());
    options.lease_ttl = lease_ttl;
    start(options).await
}

/// The partitions of each node; none has two owners.
pub(crate) fn held(nodes: &[&Node]) -> Vec<BTreeSet<PartitionId>> {
    nodes.iter().map(|node| node.probe().status().partitions.into_iter().collect()).collect()
}

fn sizes(nodes: &[&Node]) -> Vec<usize> {
    held(nodes).iter().map(BTreeSet::len).collect()
}

pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let reached = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(DEADLINE, reached).await.is_ok(), "{what}");
}

pub(crate) async fn until_shared(nodes: &[&Node], wanted: &[usize]) {
    let what = format!("{wanted:?} should be shared");
    until(&what, || sizes(nodes) == wanted).await;
    let all: BTreeSet<_> = held(nodes).into_iter().flatten().collect();
    assert_eq!(all.len(), wanted.iter().sum::<usize>(), "each partition has one owner");
}

#[tokio::test(start_paused = true)]
async fn partitions_are_shared_evenly_and_only_what_must_move_moves() {
    let driver = Driver::in_memory(16);
    let b = idle("b", &driver, ENDLESS).await;
    until_shared(&[&b], &[16]).await;
    let c = idle("c", &driver, ENDLESS).await;
    until_shared(&[&b, &c], &[8, 8]).await;
    let before = held(&[&b, &c]);
    // It sorts before the others, and so it gets the larger part.
    let a = idle("a", &driver, ENDLESS).await;
    until_shared(&[&a, &b, &c], &[6, 5, 5]).await;
    let after = held(&[&b, &c]);
    assert!(after[0].is_subset(&before[0]) && after[1].is_subset(&before[1]));
    let taken = [&a, &b, &c].map(|node| node.stats().takeovers);
    assert_eq!(taken, [6, 16, 8], "who is there takes nothing when another comes");
    let released = [&a, &b, &c].map(|node| node.stats().partitions_released);
    assert_eq!(released, [0, 8 + 3, 3]);

    // Only what is released can be taken: the leases end in no test.
    b.shutdown().await.expect("shuts down");
    until_shared(&[&a, &c], &[8, 8]).await;
    assert_eq!([&a, &c].map(|node| node.stats().takeovers), [8, 11]);
    let me = NodeId::new("a").expect("an id");
    let living = driver.storage.announce_node(&me, ENDLESS).await.expect("announces");
    assert!(living.iter().all(|node| node.as_str() != "b"), "it has signed off: {living:?}");
    a.shutdown().await.expect("shuts down");
    until_shared(&[&c], &[16]).await;
    c.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_hangs_holds_up_no_renewal() {
    let faulty = Faulty::without_faults(16);
    let hangs = faulty.endless_releases();
    let driver = faulty.into_driver();
    let ttl = Duration::from_secs(1);
    let a = idle("a", &driver, ttl).await;
    until_shared(&[&a], &[16]).await;
    hangs.store(true, Ordering::SeqCst);
    let b = idle("b", &driver, ttl).await;
    // What is not released expires.
    until("b gets its part", || b.stats().takeovers == 8).await;
    hangs.store(false, Ordering::SeqCst);
    until_shared(&[&a, &b], &[8, 8]).await;
    assert_eq!(a.stats().takeovers, 16, "it lost none of the others");
    a.shutdown().await.expect("shuts down");
    b.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn what_a_leaving_node_had_is_taken_over_at_once() {
    let driver = Driver::in_memory(16);
    let a = idle("a", &driver, ENDLESS).await;
    let b = idle("b", &driver, ENDLESS).await;
    until_shared(&[&a, &b], &[8, 8]).await;
    // Time passes only while everybody waits, so this is the sum of all waits.
    let began = tokio::time::Instant::now();
    a.shutdown().await.expect("shuts down");
    until_shared(&[&b], &[16]).await;
    let took = began.elapsed();
    assert!(took <= Duration::from_millis(300), "handing over waits for {took:?}");
    b.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn what_a_killed_node_had_is_taken_over_when_its_leases_end() {
    let ttl = Duration::from_secs(10);
    let driver = Driver::in_memory(16);
    let a = idle("a", &driver, ttl).await;
    let b = idle("b", &driver, ttl).await;
    until_shared(&[&a, &b], &[8, 8]).await;
    let began = tokio::time::Instant::now();
    drop(a);
    until_shared(&[&b], &[16]).await;
    let took = began.elapsed();
    // A lease was renewed at most a fifth of its time ago.
    assert!(took >= ttl * 4 / 5 - Duration::from_secs(1), "{took:?}");
    assert!(took <= ttl + Duration::from_millis(200), "{took:?}");
    b.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_comes_back_under_its_name_waits_for_no_lease() {
    let driver = Driver::in_memory(4);
    let a = idle("a", &driver, ENDLESS).await;
    let b = idle("b", &driver, ENDLESS).await;
    until_shared(&[&a, &b], &[2, 2]).await;
    drop(a);
    let a = idle("a", &driver, ENDLESS).await;
    until_shared(&[&a, &b], &[2, 2]).await;
    a.shutdown().await.expect("shuts down");
    b.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn more_nodes_than_partitions_stand_by() {
    let driver = Driver::in_memory(2);
    let mut nodes = Vec::new();
    for name in ["a", "b", "c", "d"] {
        nodes.push(idle(name, &driver, ENDLESS).await);
    }
    until_shared(&nodes.iter().collect::<Vec<_>>(), &[1, 1, 0, 0]).await;
    nodes.remove(0).shutdown().await.expect("shuts down");
    until_shared(&nodes.iter().collect::<Vec<_>>(), &[1, 1, 0]).await;
    nodes.remove(0).shutdown().await.expect("shuts down");
    until_shared(&nodes.iter().collect::<Vec<_>>(), &[1, 1]).await;
    for node in nodes {
        node.shutdown().await.expect("shuts down");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_not_heard_keeps_what_it_has_and_takes_nothing() {
    let faulty = Faulty::without_faults(16);
    let silent = faulty.silent_nodes();
    let driver = faulty.into_driver();
    let ttl = Duration::from_secs(3);
    let a = idle("a", &driver, ttl).await;
    let b = idle("b", &driver, ttl).await;
    until_shared(&[&a, &b], &[8, 8]).await;
    silent.store(true, Ordering::SeqCst);
    // By then each counts as dead for the other, and has asked for everything.
    tokio::time::sleep(ttl * 3).await;
    assert_eq!(sizes(&[&a, &b]), [8, 8]);
    drop(a);
    tokio::time::sleep(ttl * 3).await;
    assert_eq!(sizes(&[&b]), [8], "who cannot announce itself takes nothing");
    silent.store(false, Ordering::SeqCst);
    until_shared(&[&b], &[16]).await;
    assert_eq!(b.stats().fenced_commits, 0);
    b.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn who_is_counted_out_by_mistake_loses_nothing() {
    let driver = Driver::in_memory(16);
    let a = idle("a", &driver, ENDLESS).await;
    let b = idle("b", &driver, ENDLESS).await;
    until_shared(&[&a, &b], &[8, 8]).await;
    let (was_held, name) = (held(&[&a, &b]), NodeId::new("a").expect("an id"));
    for _ in 0..50 {
        driver.storage.withdraw_node(&name).await.expect("withdraws");
        tokio::time::sleep(Duration::from_millis(70)).await;
    }
    assert_eq!(held(&[&a, &b]), was_held);
    assert_eq!([&a, &b].map(|node| node.stats().takeovers), [16, 8]);
    a.shutdown().await.expect("shuts down");
    b.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn nothing_new_starts_when_a_lease_was_not_renewed_for_two_thirds_of_its_time() {
    let faulty = Faulty::without_faults(1);
    let stuck = faulty.stuck_leases();
    let driver = faulty.into_driver();
    let ttl = Duration::from_secs(3);
    let bodies = Counter::default();
    let mut with_worker = coordinator("a", &driver, doubling(&bodies));
    with_worker.workers = vec![PoolOptions::standard(1)];
    with_worker.lease_ttl = ttl;
    let node = start(with_worker).await;
    stuck.store(true, Ordering::SeqCst);
    tokio::time::sleep(ttl * 2 / 3).await;
    let commits = node.stats().commits;
    let run = driver.start("t", "chain", 2_u64).await;
    tokio::time::sleep(ttl).await;
    let stats = node.stats();
    assert_eq!((stats.commits, bodies.get()), (commits, 0), "nothing is begun");
    assert!(stats.lease_renewal_failures > 0);
    assert!(held(&[&node])[0].is_empty(), "what it cannot keep is dropped");
    stuck.store(false, Ordering::SeqCst);
    assert_eq!(driver.done::<u64>("t", run).await, 2);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(start_paused = true)]
async fn a_partition_whose_lease_is_gone_is_taken_again() {
    let ttl = Duration::from_secs(3);
    let driver = Driver::in_memory(4);
    let a = idle("a", &driver, ttl).await;
    let b = idle("b", &driver, ttl).await;
    until_shared(&[&a, &b], &[2, 2]).await;
    delete_leases(&driver, &["a", "b"]).await;
    let taken = || [&a, &b].map(|node| node.stats().takeovers).iter().sum::<u64>();
    until("all are taken again", || taken() >= 6 + 4).await;
    until_shared(&[&a, &b], &[2, 2]).await;
    a.shutdown().await.expect("shuts down");
    b.shutdown().await.expect("shuts down");
}

/// Makes every partition free behind the back of its owner, as if its lease had been deleted.
pub(crate) async fn delete_leases(driver: &Driver, owners: &[&str]) {
    for partition in (0..driver.storage.partitions()).map(PartitionId) {
        for owner in owners {
            let owner = NodeId::new(*owner).expect("an id");
            let taken = driver.storage.acquire(partition, &owner, ENDLESS).await;
            if let Ok(Acquisition::Acquired { lease, .. }) = taken {
                driver.storage.release(&lease).await.expect("releases");
            }
        }
    }
}
