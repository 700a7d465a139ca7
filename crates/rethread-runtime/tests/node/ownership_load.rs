//! Work that goes on while partitions change hands.

use std::sync::Arc;
use std::time::Duration;

use rethread_core::ids::{NodeId, RunId};
use rethread_runtime::{Node, PoolOptions, Threads};
use rethread_sdk::{Entrypoint, Error, Registry, Task};
use tokio::sync::Semaphore;

use crate::faulty::Faulty;
use crate::ownership::{coordinator, delete_leases, until, until_shared};
use crate::support::{Counter, Driver, options, start};

/// `sum` adds up as many numbers as it is told, each from a task; half of them side by side.
/// A body waits for a permit.
fn sum(bodies: &Counter, gate: &Arc<Semaphore>) -> Registry {
    let (bodies, gate) = (bodies.clone(), Arc::clone(gate));
    let give = Task::new("give", move |n: u64| {
        bodies.add();
        let gate = Arc::clone(&gate);
        async move {
            drop(gate.acquire().await?);
            tokio::time::sleep(Duration::from_millis(10 * n)).await;
            Ok::<_, Error>(n)
        }
    });
    let call = give.clone();
    let main = Entrypoint::new("sum", move |count: u64| {
        let give = call.clone();
        async move {
            let mut sum = 0;
            for n in 0..count / 2 {
                sum += give.call((n,)).await?;
            }
            let rest: Vec<_> = (count / 2..count).map(|n| give.call((n,))).collect();
            for call in rest {
                sum += call.await?;
            }
            Ok::<_, Error>(sum)
        }
    });
    Registry::builder().entrypoint(main).task(give).build().expect("builds")
}

const CALLS: u64 = 6;
const SUM: u64 = 15;

struct Load {
    driver: Driver,
    bodies: Counter,
    gate: Arc<Semaphore>,
    /// Where the parts of nodes run.
    parts: Threads,
    workers: Node,
    runs: Vec<(String, RunId)>,
}

impl Load {
    /// Starts threads whose bodies wait; a node of its own runs them.
    async fn start(partitions: u16, threads: usize, parts: Threads) -> Self {
        Self::start_on(Driver::in_memory(partitions), threads, parts).await
    }

    async fn start_on(driver: Driver, threads: usize, parts: Threads) -> Self {
        let bodies = Counter::default();
        let gate = Arc::new(Semaphore::new(0));
        let mut workers = options("workers", &driver, sum(&bodies, &gate));
        workers.coordinator = false;
        workers.threads = parts;
        workers.workers = vec![PoolOptions::standard(16)];
        let workers = start(workers).await;
        let mut runs = Vec::new();
        for n in 0..threads {
            let thread = format!("thread-{n}");
            let run = driver.start(&thread, "sum", CALLS).await;
            runs.push((thread, run));
        }
        Self { driver, bodies, gate, parts, workers, runs }
    }

    async fn coordinator(&self, name: &str) -> Node {
        let mut options = coordinator(name, &self.driver, sum(&self.bodies, &self.gate));
        options.lease_ttl = Duration::from_secs(3);
        options.threads = self.parts;
        start(options).await
    }

    fn open(&self) {
        self.gate.add_permits(16);
    }

    /// Every run ends with the right result, and every body started once.
    async fn assert_each_once(&self) {
        for (thread, run) in &self.runs {
            assert_eq!(self.driver.done::<u64>(thread, *run).await, SUM, "{thread}");
        }
        let wanted = self.runs.len() * usize::try_from(CALLS).expect("small");
        assert_eq!(usize::try_from(self.bodies.get()), Ok(wanted), "no body starts twice");
    }

    async fn end(self, nodes: Vec<Node>) {
        for node in nodes {
            node.shutdown().await.expect("shuts down");
        }
        self.workers.shutdown().await.expect("shuts down");
    }
}

#[tokio::test(start_paused = true)]
async fn running_work_survives_a_change_of_owners() {
    let load = Load::start(16, 16, Threads::Caller).await;
    let a = load.coordinator("a").await;
    load.bodies.reaches(16).await;
    let b = load.coordinator("b").await;
    let c = load.coordinator("c").await;
    until_shared(&[&a, &b, &c], &[6, 5, 5]).await;
    a.shutdown().await.expect("shuts down");
    until_shared(&[&b, &c], &[8, 8]).await;
    assert_eq!(load.bodies.get(), 16, "the bodies know nothing of it");
    load.open();
    load.assert_each_once().await;
    assert!(b.stats().partitions_released + c.stats().partitions_released <= 8);
    load.end(vec![b, c]).await;
}

async fn nodes_come_and_go(load: Load, rounds: u64) {
    load.open();
    let steady = load.coordinator("m").await;
    let coming_and_going = async {
        let mut commits_of_guests = 0;
        for round in 0..rounds {
            // Names on both sides of the steady one: its part changes its place too.
            let name = if round % 2 == 0 { format!("a-{round}") } else { format!("z-{round}") };
            let guest = load.coordinator(&name).await;
            until_shared(&[&guest, &steady], &[8, 8]).await;
            let probe = guest.probe();
            guest.shutdown().await.expect("shuts down");
            commits_of_guests += probe.stats().commits;
            assert_eq!(probe.stats().fenced_commits, 0);
            until_shared(&[&steady], &[16]).await;
        }
        // In real time all work may be done before a guest comes.
        let is_simulated = load.parts == Threads::Caller;
        assert!(commits_of_guests > 0 || !is_simulated, "guests had work");
    };
    tokio::join!(coming_and_going, load.assert_each_once());
    let stats = steady.stats();
    assert_eq!((stats.partitions_released, stats.takeovers), (rounds * 8, 16 + rounds * 8));
    assert_eq!(stats.fenced_commits, 0, "what is given up is written before");
    load.end(vec![steady]).await;
}

#[tokio::test(start_paused = true)]
async fn many_threads_run_while_nodes_come_and_go() {
    nodes_come_and_go(Load::start(16, 400, Threads::Caller).await, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_threads_run_while_nodes_with_threads_of_their_own_come_and_go() {
    nodes_come_and_go(Load::start(16, 200, Threads::Own).await, 4).await;
}

#[tokio::test(start_paused = true)]
async fn partitions_change_hands_on_a_storage_that_fails_now_and_then() {
    let driver = Faulty::failing(16, 7).into_driver();
    let load = Load::start_on(driver, 60, Threads::Caller).await;
    load.open();
    let steady = load.coordinator("m").await;
    let coming_and_going = async {
        for round in 0..6 {
            let guest = load.coordinator(&format!("guest-{round}")).await;
            until_shared(&[&guest, &steady], &[8, 8]).await;
            guest.shutdown().await.expect("shuts down");
            until_shared(&[&steady], &[16]).await;
        }
    };
    tokio::join!(coming_and_going, load.assert_each_once());
    load.end(vec![steady]).await;
}

#[tokio::test(start_paused = true)]
async fn names_that_flap_cost_time_and_nothing_else() {
    let load = Load::start(16, 100, Threads::Caller).await;
    load.open();
    let steady = load.coordinator("m").await;
    let flapping = async {
        // It announces itself and takes nothing.
        let ghost = NodeId::new("ghost").expect("an id");
        for _ in 0..20 {
            let ttl = Duration::from_secs(1);
            load.driver.storage.announce_node(&ghost, ttl).await.expect("announces");
            tokio::time::sleep(Duration::from_millis(170)).await;
            load.driver.storage.withdraw_node(&ghost).await.expect("withdraws");
            tokio::time::sleep(Duration::from_millis(110)).await;
        }
    };
    tokio::join!(flapping, load.assert_each_once());
    until_shared(&[&steady], &[16]).await;
    assert!(steady.stats().partitions_released > 0, "it did flap");
    load.end(vec![steady]).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_twice_when_all_leases_are_deleted() {
    let load = Load::start(8, 200, Threads::Caller).await;
    load.open();
    let (a, b) = (load.coordinator("a").await, load.coordinator("b").await);
    let deleting = async {
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(60)).await;
            delete_leases(&load.driver, &["a", "b"]).await;
        }
    };
    tokio::join!(deleting, load.assert_each_once());
    let taken = || [&a, &b].map(|node| node.stats().takeovers).iter().sum::<u64>();
    until("partitions changed their owners", || taken() > 12 + 8).await;
    until_shared(&[&a, &b], &[4, 4]).await;
    load.end(vec![a, b]).await;
}
