use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rethread_core::event::{EventKind, RunOutcome};
use rethread_core::ids::{CallId, NodeId};
use rethread_core::message::Action;
use rethread_sdk::{Entrypoint, Error, Registry, Task};
use rethread_storage::Acquisition;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::faulty::{Faulty, Gate};
use crate::runs::doubling;
use crate::support::{
    Counter, DEADLINE, Driver, coordinator, current_call, options, recorded, start, thread_id,
    worker,
};

/// The calls whose bodies a node started.
#[derive(Debug, Clone, Default)]
struct Starts(Arc<Mutex<Vec<CallId>>>);

impl Starts {
    fn add(&self, call: CallId) {
        self.0.lock().expect("not poisoned").push(call);
    }

    /// All of them, none twice.
    fn distinct(&self) -> BTreeSet<CallId> {
        let calls = self.0.lock().expect("not poisoned");
        let distinct: BTreeSet<_> = calls.iter().copied().collect();
        assert_eq!(distinct.len(), calls.len(), "no body starts twice on a node: {calls:?}");
        distinct
    }
}

async fn recorded_of(driver: &Driver, threads: &[String]) -> BTreeSet<CallId> {
    let mut calls = BTreeSet::new();
    for thread in threads {
        let (partition, key) = (driver.partition(thread), thread_id(thread).key());
        calls.extend(recorded(&*driver.storage, partition, key).await);
    }
    calls
}

/// `steps` runs its steps one after the other; each waits for a permit.
fn steps(bodies: &Counter, gate: &Arc<Semaphore>) -> Registry {
    noting_steps(bodies, gate, &Starts::default())
}

fn noting_steps(bodies: &Counter, gate: &Arc<Semaphore>, starts: &Starts) -> Registry {
    let (bodies, gate, starts) = (bodies.clone(), Arc::clone(gate), starts.clone());
    let step = Task::new("step", move |n: u64| {
        starts.add(current_call().0);
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
    let bodies = Counter::default();
    let (first, second) = (Starts::default(), Starts::default());
    let threads: Vec<_> = (0..8).map(|n| format!("thread-{n}")).collect();
    let node_a = start(options("a", &driver, noting_steps(&bodies, &gate, &first))).await;
    let mut runs = Vec::new();
    for thread in &threads {
        runs.push(driver.start(thread, "steps", 4_u64).await);
    }
    // Four slots: six steps are recorded, and four more have begun.
    gate.add_permits(6);
    bodies.reaches(10).await;
    let six_recorded = async {
        while recorded_of(&driver, &threads).await.len() < 6 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, six_recorded).await.expect("what has ended is recorded");
    let node_b = start(options("b", &driver, noting_steps(&bodies, &gate, &second))).await;
    drop(node_a);
    let recorded = recorded_of(&driver, &threads).await;
    assert_eq!(recorded.len(), 6, "no further step can end");
    gate.add_permits(1_000);
    for (thread, run) in threads.iter().zip(runs) {
        assert_eq!(driver.done::<u64>(thread, run).await, 6);
    }
    let (first, second) = (first.distinct(), second.distinct());
    let again: Vec<_> = recorded.intersection(&second).collect();
    assert!(again.is_empty(), "recorded when the node was killed, and begun again: {again:?}");
    assert!(recorded.is_subset(&first));
    assert_eq!(first.union(&second).count(), 8 * 4, "every step ran");
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
    timeout(DEADLINE, fenced).await.expect("is fenced");
    assert_eq!(driver.events("t", run).await.len(), before);
    // It acquires the partition anew, under its own name, and goes on from what is stored.
    gate.add_permits(1);
    assert_eq!(driver.done::<u64>("t", run).await, 1);
    assert_eq!(bodies.get(), 2, "nothing runs twice");
    node_a.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_thread_does_not_keep_the_messages_of_others() {
    let bodies = Counter::default();
    let registry = doubling(&bodies);
    let gate = Gate::default();
    let driver = Faulty::gated(&gate);
    let mut names = (0..).map(|n| format!("thread-{n}"));
    let slow = names.next().expect("endless");
    let quick = names.find(|name| driver.partition(name) == driver.partition(&slow));
    let quick = quick.expect("endless");
    gate.shut(thread_id(&slow).key());
    let node_a = start(options("a", &driver, registry.clone())).await;
    let waits = driver.start(&slow, "chain", 2_u64).await;
    let mut expected = 0;
    for count in [3_u64, 4] {
        let _: u64 = driver.invoke(&quick, "chain", count).await;
        expected += u32::try_from(count).expect("small");
    }
    assert_eq!(bodies.get(), expected);
    node_a.shutdown().await.expect("shuts down");
    let left = driver.inbox(&quick).await;
    assert_eq!(left.len(), 1, "only the message of the slow thread is left: {left:?}");

    gate.open();
    let node_b = start(options("b", &driver, registry)).await;
    let _: u64 = driver.done(&slow, waits).await;
    assert_eq!(bodies.get(), expected + 2, "nothing runs again");
    node_b.shutdown().await.expect("shuts down");
}

/// Two tasks side by side, the second of which waits for a permit; or that one alone, which does
/// not fit a journal with both.
fn one_or_two(bodies: &Counter, gate: &Arc<Semaphore>, both: bool) -> Registry {
    let (bodies, gate) = (bodies.clone(), Arc::clone(gate));
    let slow = Task::new("slow", move |(): ()| {
        bodies.add();
        let gate = Arc::clone(&gate);
        async move {
            gate.acquire().await?.forget();
            Ok::<_, Error>(1_u64)
        }
    });
    let quick = Task::new("quick", |(): ()| async { Ok::<_, Error>(1_u64) });
    let calls = (quick.clone(), slow.clone());
    let main = Entrypoint::new("main", move |(): ()| {
        let (quick, slow) = calls.clone();
        async move {
            if !both {
                return slow.call(((),)).await;
            }
            let (quick, slow) = tokio::join!(quick.call(((),)), slow.call(((),)));
            Ok::<_, Error>(quick? + slow?)
        }
    });
    Registry::builder().entrypoint(main).task(slow).task(quick).build().expect("builds")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_order_of_a_parked_thread_is_not_given_out_twice() {
    let driver = Driver::in_memory(1);
    let gate = Arc::new(Semaphore::new(0));
    let bodies = Counter::default();
    let worker = start(worker("w", &driver, one_or_two(&bodies, &gate, true))).await;
    let coordinator =
        |name: &str, both: bool| coordinator(name, &driver, one_or_two(&bodies, &gate, both));
    let node_a = start(coordinator("a", true)).await;
    let run = driver.start("t", "main", ()).await;
    let first_is_recorded = async {
        while recorded_of(&driver, &["t".to_owned()]).await.is_empty() || bodies.get() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, first_is_recorded).await.expect("one ends and the other begins");
    node_a.shutdown().await.expect("shuts down");

    let node_b = start(coordinator("b", false)).await;
    let parked = driver.outcome("t", run).await;
    assert!(!matches!(parked, RunOutcome::Done(_)), "the program does not fit: {parked:?}");
    node_b.shutdown().await.expect("shuts down");

    let node_c = start(coordinator("c", true)).await;
    let run = driver.submit("t", Action::Retry).await;
    let goes_on = |kind: &EventKind| matches!(kind, EventKind::RunStarted { .. }).then_some(());
    driver.wait_for("t", run, goes_on).await;
    gate.add_permits(2);
    assert_eq!(driver.done::<u64>("t", run).await, 2);
    let queued = driver.storage.queued_orders(driver.partition("t")).await.expect("reads");
    assert!(queued.is_empty(), "no second order: {queued:?}");
    assert_eq!(bodies.get(), 1);
    node_c.shutdown().await.expect("shuts down");
    worker.shutdown().await.expect("shuts down");
}
