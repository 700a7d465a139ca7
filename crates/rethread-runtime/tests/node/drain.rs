use std::sync::Arc;
use std::time::Duration;

use rethread_sdk::{Entrypoint, Error, Registry, Task};
use tokio::sync::Semaphore;

use crate::support::{Counter, Driver, options, start};

fn one_step(bodies: &Counter, gate: &Arc<Semaphore>) -> Registry {
    let (bodies, gate) = (bodies.clone(), Arc::clone(gate));
    let step = Task::new("step", move |(): ()| {
        bodies.add();
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, Error>(5_u64)
        }
    });
    let call = step.clone();
    let main = Entrypoint::new("main", move |(): ()| {
        let step = call.clone();
        async move { step.call(((),)).await }
    });
    Registry::builder().entrypoint(main).task(step).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_node_hands_over_at_once() {
    let driver = Driver::in_memory(4);
    let gate = Arc::new(Semaphore::new(0));
    let bodies = Counter::default();
    let mut first = options("a", &driver, one_step(&bodies, &gate));
    // Were the leases not released, the test would run into its deadline.
    first.lease_ttl = Duration::from_secs(1_000);
    let node_a = start(first).await;
    let run = driver.start("t", "main", ()).await;
    bodies.reaches(1).await;
    let node_b = start(options("b", &driver, one_step(&bodies, &gate))).await;
    // The body still runs: its order goes back and runs again on the other node.
    node_a.shutdown().await.expect("shuts down");
    bodies.reaches(2).await;
    gate.add_permits(1);
    assert_eq!(driver.done::<u64>("t", run).await, 5);
    node_b.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_may_finish_during_a_drain() {
    let driver = Driver::in_memory(1);
    let gate = Arc::new(Semaphore::new(0));
    let bodies = Counter::default();
    let node_a = start(options("a", &driver, one_step(&bodies, &gate))).await;
    let run = driver.start("t", "main", ()).await;
    bodies.reaches(1).await;
    let node_b = start(options("b", &driver, one_step(&bodies, &gate))).await;
    let (drained, ()) = tokio::join!(node_a.drain(), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        gate.add_permits(1);
    });
    drained.expect("drains");
    assert_eq!(driver.done::<u64>("t", run).await, 5);
    assert_eq!(bodies.get(), 1);
    node_b.shutdown().await.expect("shuts down");
}
