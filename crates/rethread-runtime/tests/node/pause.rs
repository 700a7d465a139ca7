//! A worker that stands still between fetching an order and starting its body.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rethread_core::ids::{CallId, WorkerId};
use rethread_core::message::{AttemptOutcome, InboxMessage, Report, Target, TaskOrder};
use rethread_core::record::Record;
use rethread_runtime::{NodeOptions, PoolOptions};
use rethread_sdk::{Entrypoint, Error, Registry, Task};
use rethread_storage::{Delivery, HandIn, Storage};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::faulty::Faulty;
use crate::support::{DEADLINE, Driver, options, payload, recorded, start};

const DEAD_AFTER: Duration = Duration::from_millis(60);

/// What happens first when the worker goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    /// Its next heartbeat: by then it looks as if it had never been silent.
    Heartbeat,
    /// The order comes to the place where its body starts.
    Order,
}

/// Stops the first worker that gets an order, until it counts as dead.
#[derive(Debug)]
pub(crate) struct Pause {
    is_over: AtomicBool,
    first: First,
    /// Whether another worker finishes the order meanwhile.
    is_stolen: bool,
    /// Whether heartbeats get through.
    beats: watch::Sender<bool>,
    waiting: AtomicUsize,
    begun: watch::Sender<usize>,
}

impl Pause {
    fn new(first: First, is_stolen: bool) -> Arc<Self> {
        Arc::new(Self {
            is_over: AtomicBool::new(false),
            first,
            is_stolen,
            beats: watch::Sender::new(true),
            waiting: AtomicUsize::new(0),
            begun: watch::Sender::new(0),
        })
    }

    pub(crate) async fn before_heartbeat(&self) {
        // The worker's own heartbeats are one after the other. A second one that waits is that of
        // an order that is checked.
        if self.waiting.fetch_add(1, Ordering::SeqCst) == 1 && self.first == First::Order {
            self.beats.send_replace(true);
        }
        self.begun.send_modify(|begun| *begun += 1);
        let opened = self.beats.subscribe().wait_for(|open| *open).await.map(drop);
        opened.expect("the sender lives");
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    pub(crate) async fn after_fetch(&self, storage: &dyn Storage, found: &[Delivery]) {
        if found.is_empty() || self.is_over.swap(true, Ordering::SeqCst) {
            return;
        }
        self.beats.send_replace(false);
        if self.is_stolen {
            steal(storage, found).await;
        }
        tokio::time::sleep(DEAD_AFTER).await;
        if self.first == First::Heartbeat {
            self.beats.send_replace(true);
            let mut begun = self.begun.subscribe();
            // One may begin now; when the next one begins, that one has been noted.
            let noted = *begun.borrow_and_update() + 2;
            let reached = begun.wait_for(|begun| *begun >= noted);
            timeout(DEADLINE, reached).await.expect("in time").expect("the sender lives");
        }
    }
}

/// Another worker takes the orders and finishes them, and the results are recorded.
async fn steal(storage: &dyn Storage, orders: &[Delivery]) {
    let heir = WorkerId::new("heir").expect("an id");
    let queues = [orders[0].receipt.queue.clone()];
    storage.heartbeat(&heir, &queues).await.expect("beats");
    let taken = storage.reclaim(&heir, &queues, Duration::ZERO, 99).await.expect("reclaims");
    assert_eq!(taken.len(), orders.len());
    for delivery in taken {
        let order = TaskOrder::from_record(&delivery.order).expect("an order");
        let attempt = order.target.attempt + delivery.given - 1;
        let report = Report {
            target: Target { attempt, ..order.target.clone() },
            worker: heir.clone(),
            outcome: AttemptOutcome::Completed(payload(&100_u64)),
        };
        let part = HandIn {
            partition: order.partition,
            finished: Some(delivery.receipt),
            messages: vec![InboxMessage::Report(report).to_record()],
        };
        storage.hand_in(&heir, vec![part]).await.expect("hands in");
        let recorded = async {
            while !is_recorded(storage, &order).await {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(DEADLINE, recorded).await.expect("the result is recorded");
    }
}

/// An execution that is over has no journal, and all its calls are recorded.
async fn is_recorded(storage: &dyn Storage, order: &TaskOrder) -> bool {
    let calls: BTreeSet<CallId> = recorded(storage, order.partition, order.target.thread).await;
    let active = storage.active_threads(order.partition).await.expect("lists threads");
    calls.contains(&order.target.call)
        || active.iter().all(|(thread, _)| *thread != order.target.thread)
}

/// `main` calls `step`, which notes its input and gives it back.
fn noting(starts: &Arc<Mutex<Vec<u64>>>) -> Registry {
    let starts = Arc::clone(starts);
    let step = Task::new("step", move |n: u64| {
        starts.lock().expect("not poisoned").push(n);
        async move { Ok::<_, Error>(n) }
    });
    let call = step.clone();
    let main = Entrypoint::new("main", move |n: u64| {
        let step = call.clone();
        async move { step.call((n,)).await }
    });
    Registry::builder().entrypoint(main).task(step).build().expect("builds")
}

fn one_slot(driver: &Driver, starts: &Arc<Mutex<Vec<u64>>>) -> NodeOptions {
    let mut options = options("a", driver, noting(starts));
    options.workers = vec![PoolOptions::standard(1)];
    options.heartbeat_every = DEAD_AFTER / 6;
    options.dead_after = DEAD_AFTER;
    options
}

/// Runs two threads, the first of them into the pause. Gives both results and the inputs of the
/// bodies that started.
async fn two_runs(first: First, is_stolen: bool) -> ([u64; 2], Vec<u64>) {
    let pause = Pause::new(first, is_stolen);
    let driver = Faulty::paused(&pause);
    let starts = Arc::default();
    let node = start(one_slot(&driver, &starts)).await;
    let stolen = driver.invoke("stolen", "main", 1_u64).await;
    // There is one slot: this body starts after the pool is done with the order before.
    let next = driver.invoke("next", "main", 2_u64).await;
    node.shutdown().await.expect("shuts down");
    let starts = starts.lock().expect("not poisoned").clone();
    ([stolen, next], starts)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_does_not_start_when_its_order_was_finished_by_another_worker() {
    assert_eq!(two_runs(First::Order, true).await, ([100, 2], vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_after_the_silence_does_not_hide_it() {
    assert_eq!(two_runs(First::Heartbeat, true).await, ([100, 2], vec![2]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_starts_after_a_silence_that_nobody_used() {
    for first in [First::Order, First::Heartbeat] {
        assert_eq!(two_runs(first, false).await, ([1, 2], vec![1, 2]), "{first:?}");
    }
}
