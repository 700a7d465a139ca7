//! A storage that fails now and then.

use crate::faulty::Faulty;
use crate::runs::doubling;
use crate::support::{Counter, options, start};

#[tokio::test(flavor = "multi_thread")]
async fn operations_that_fail_are_repeated_and_nothing_runs_twice() {
    let driver = Faulty::driver(5, 0);
    let bodies = Counter::default();
    let node = start(options("a", &driver, doubling(&bodies))).await;
    let mut runs = Vec::new();
    for n in 0..10 {
        let thread = format!("thread-{n}");
        runs.push((driver.start(&thread, "chain", 5_u64).await, thread));
    }
    for (run, thread) in runs {
        assert_eq!(driver.done::<u64>(&thread, run).await, 20, "{thread}");
    }
    assert_eq!(bodies.get(), 50);
    node.shutdown().await.expect("shuts down");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_partition_is_loaded_again_when_a_commit_stays_unknown() {
    let driver = Faulty::driver(u32::MAX, 8);
    let bodies = Counter::default();
    let node = start(options("a", &driver, doubling(&bodies))).await;
    assert_eq!(driver.invoke::<u64>("t", "chain", 5_u64).await, 20);
    assert_eq!(bodies.get(), 5);
    assert_eq!(node.stats().unknown_outcomes, 1, "six in a row give up, two more are repeated");
    node.shutdown().await.expect("shuts down");
}
