//! Handing over while there is more to do than can be done.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rethread_core::ids::PartitionId;
use rethread_runtime::{Node, Threads};
use rethread_sdk::{Entrypoint, Error, Registry};

use crate::ownership::{coordinator, until, until_shared};
use crate::support::{Driver, start};

/// Leases that end in no test: what is taken over was handed over.
const ENDLESS: Duration = Duration::from_secs(100_000);

async fn node(name: &str, driver: &Driver, registry: Registry) -> Node {
    let mut options = coordinator(name, driver, registry);
    options.threads = Threads::Own;
    options.lease_ttl = ENDLESS;
    start(options).await
}

fn nothing() -> Registry {
    Registry::builder().build().expect("builds")
}

/// Names of threads in partitions that the node holds.
fn threads_of(node: &Node, driver: &Driver) -> impl Iterator<Item = String> {
    let held = node.probe().status().partitions;
    let is_held = move |partition: PartitionId| held.contains(&partition);
    let driver = driver.clone();
    (0..).map(|n| format!("t-{n}")).filter(move |thread| is_held(driver.partition(thread)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_blocks_does_not_hold_up_a_hand_over() {
    let driver = Driver::in_memory(8);
    let (entered, is_entered) = mpsc::channel::<()>();
    let (let_go, is_let_go) = mpsc::channel::<()>();
    let is_let_go = Arc::new(Mutex::new(is_let_go));
    let blocks = Entrypoint::new("blocks", move |(): ()| {
        let (entered, is_let_go) = (entered.clone(), Arc::clone(&is_let_go));
        async move {
            entered.send(()).map_err(Error::msg)?;
            // Blocks the thread on which the owners run too.
            is_let_go.lock().map_err(Error::msg)?.recv().map_err(Error::msg)
        }
    });
    let a = node("a", &driver, Registry::builder().entrypoint(blocks).build().expect("builds"));
    let a = a.await;
    let b = node("b", &driver, nothing()).await;
    until_shared(&[&a, &b], &[4, 4]).await;
    let thread = threads_of(&a, &driver).next().expect("endless");
    driver.start(&thread, "blocks", ()).await;
    tokio::task::spawn_blocking(move || is_entered.recv()).await.expect("runs").expect("begins");
    let (ended, ()) = tokio::join!(a.shutdown(), async {
        until("b has all partitions", || b.stats().takeovers == 8).await;
        let_go.send(()).expect("it waits");
    });
    ended.expect("shuts down");
    b.shutdown().await.expect("shuts down");
}
