use std::sync::Arc;
use std::time::Duration;

use rethread_runtime::Node;
use rethread_sdk::{Entrypoint, Error, Registry, RunId, Task};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::support::{Counter, DEADLINE, Driver, current_call, options, start};

/// `main` calls `step`, which gives back its attempt once it gets a permit.
fn one_step(bodies: &Counter, gate: &Arc<Semaphore>) -> Registry {
    let (bodies, gate) = (bodies.clone(), Arc::clone(gate));
    let step = Task::new("step", move |(): ()| {
        bodies.add();
        let (_, attempt) = current_call();
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, Error>(attempt)
        }
    });
    let call = step.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let step = call.clone();
        async move { step.call(((),)).await }
    });
    Registry::builder().entrypoint(main).task(step).build().expect("builds")
}

/// A node in the middle of a body. Others get its partitions by its drain alone: leases that were
/// not released would hold longer than the test may take.
async fn busy(driver: &Driver, bodies: &Counter, gate: &Arc<Semaphore>) -> (Node, RunId) {
    let mut options = options("a", driver, one_step(bodies, gate));
    options.lease_ttl = Duration::from_secs(1_000);
    let node = start(options).await;
    let run = driver.start("t", "main", ()).await;
    bodies.reaches(1).await;
    (node, run)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_hands_over_at_once() {
    let driver = Driver::in_memory(4);
    let gate = Arc::new(Semaphore::new(0));
    let bodies = Counter::default();
    let (node_a, run) = busy(&driver, &bodies, &gate).await;
    let mut second = options("b", &driver, one_step(&bodies, &gate));
    // The fetch that is handed back must not count.
    second.fetches_max = 1;
    let node_b = start(second).await;
    // The body still runs: its order goes back and runs again on the other node.
    node_a.shutdown().await.expect("shuts down");
    bodies.reaches(2).await;
    gate.add_permits(1);
    assert_eq!(driver.done::<u32>("t", run).await, 2, "the body that was cut off had a number");
    node_b.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_finish_during_a_drain() {
    let driver = Driver::in_memory(1);
    let gate = Arc::new(Semaphore::new(0));
    let bodies = Counter::default();
    let (node_a, run) = busy(&driver, &bodies, &gate).await;
    let node_b = start(options("b", &driver, one_step(&bodies, &gate))).await;
    let (drained, ()) = tokio::join!(node_a.drain(), async {
        let loaded = async {
            while node_b.stats().threads_loaded == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(DEADLINE, loaded).await.expect("the partition is handed over");
        gate.add_permits(1);
    });
    drained.expect("drains");
    assert_eq!(driver.done::<u32>("t", run).await, 1);
    assert_eq!(bodies.get(), 1);
    node_b.shutdown().await.expect("shuts down");
}
