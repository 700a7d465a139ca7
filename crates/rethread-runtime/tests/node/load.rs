use rethread_runtime::PoolOptions;

use crate::runs::doubling;
use crate::support::{Counter, Driver, options, start};

#[tokio::test(flavor = "multi_thread")]
async fn many_threads_run_beside_each_other() {
    let driver = Driver::in_memory(8);
    let bodies = Counter::default();
    let mut options = options("a", &driver, doubling(&bodies));
    options.workers = vec![PoolOptions::standard(64)];
    let node = start(options).await;
    let mut runs = Vec::new();
    for n in 0..500 {
        let thread = format!("thread-{n}");
        runs.push((driver.start(&thread, "chain", 10_u64).await, thread));
    }
    for (run, thread) in runs {
        assert_eq!(driver.done::<u64>(&thread, run).await, 90, "{thread}");
    }
    assert_eq!(bodies.get(), 5_000);
    let stats = node.stats();
    assert!(stats.commits < 5_000, "commits are shared: {stats:?}");
    node.shutdown().await.expect("shuts down");
}
