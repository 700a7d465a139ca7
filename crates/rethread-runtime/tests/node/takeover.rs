use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::NodeId;
use rethread_sdk::{Entrypoint, Error, Registry, Task};
use rethread_storage::Acquisition;
use tokio::sync::Semaphore;

use crate::support::{Counter, DEADLINE, Driver, options, start};

/// `steps` runs its steps one after the other; each waits for a permit.
fn steps(bodies: &Counter, gate: &Arc<Semaphore>) -> Registry {
    let (bodies, gate) = (bodies.clone(), Arc::clone(gate));
    let step = Task::new("step", move |n: u64| {
        bodies.add();
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, Error>(n)
        }
    });
    let call = step.clone();
    let main = Entrypoint::new("steps", move |count: u64| {
        let step = call.clone();
        async move {
            let mut sum = 0;
            for n in 0..count {
                sum += step.call((n,)).await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    Registry::builder().entrypoint(main).task(step).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn another_node_finishes_what_a_killed_one_began() {
    let driver = Driver::in_memory(4);
    let gate = Arc::new(Semaphore::new(0));
    let (first, second) = (Counter::default(), Counter::default());
    let threads: Vec<_> = (0..8).map(|n| format!("thread-{n}")).collect();
    let node_a = start(options("a", &driver, steps(&first, &gate))).await;
    let mut runs = Vec::new();
    for thread in &threads {
        runs.push(driver.start(thread, "steps", 4_u64).await);
    }
    // Four slots: six steps are recorded, and four more have begun.
    gate.add_permits(6);
    first.reaches(10).await;
    let node_b = start(options("b", &driver, steps(&second, &gate))).await;
    drop(node_a);
    gate.add_permits(1_000);
    for (thread, run) in threads.iter().zip(runs) {
        assert_eq!(driver.done::<u64>(thread, run).await, 6);
    }
    let (first, second) = (first.get(), second.get());
    let needed = 8 * 4;
    assert!(
        first + second <= needed + 4,
        "only bodies that ran when the node was killed run again: {first} + {second}"
    );
    node_b.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_its_partition_writes_nothing() {
    let driver = Driver::in_memory(1);
    let gate = Arc::new(Semaphore::new(0));
    let bodies = Counter::default();
    let mut slow = options("a", &driver, steps(&bodies, &gate));
    // It does not hear of its loss by a renewal before its first write.
    slow.lease_ttl = Duration::from_secs(100);
    let node_a = start(slow).await;
    let run = driver.start("t", "steps", 2_u64).await;
    bodies.reaches(1).await;

    let partition = driver.partition("t");
    let thief = NodeId::new("a").expect("an id");
    let ttl = Duration::from_secs(1_000);
    let taken = driver.storage.acquire(partition, &thief, ttl).await.expect("asks");
    assert!(matches!(taken, Acquisition::Acquired { .. }), "the same node may take it: {taken:?}");
    let before = driver.events("t", run).await.len();
    gate.add_permits(1);
    let fenced = async {
        while node_a.stats().fenced_commits == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, fenced).await.expect("is fenced");
    assert_eq!(driver.events("t", run).await.len(), before);
    // It acquires the partition anew, under its own name, and goes on from what is stored.
    gate.add_permits(1);
    assert_eq!(driver.done::<u64>("t", run).await, 1);
    assert_eq!(bodies.get(), 2, "nothing runs twice");
    node_a.shutdown().await.expect("shuts down");
}
