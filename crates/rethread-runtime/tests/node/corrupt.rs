use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use bytes::Bytes;
use rethread_core::event::{Refusal, RunOutcome};
use rethread_core::ids::{Millis, NodeId};
use rethread_runtime::NodeOptions;
use rethread_storage::{Acquisition, Activity, Clock, Commit, ThreadWrite};

use crate::runs::doubling;
use crate::support::{Counter, Driver, options, start, thread_id};

/// Writes a header that nobody can read.
async fn damage(driver: &Driver, thread: &str) {
    let partition = driver.partition(thread);
    let node = NodeId::new("vandal").expect("an id");
    let ttl = Duration::from_millis(1);
    let taken = driver.storage.acquire(partition, &node, ttl).await.expect("asks");
    let Acquisition::Acquired { lease, last_commit } = taken else { panic!("{taken:?}") };
    let write = ThreadWrite {
        header: Some(Bytes::from_static(b"damaged")),
        activity: Some(Activity::Due(Millis(0))),
        ..ThreadWrite::none(thread_id(thread).key())
    };
    let commit = Commit { threads: vec![write], ..Commit::new(lease, last_commit + 1) };
    driver.storage.commit(commit).await.expect("commits");
    driver.storage.release(&lease).await.expect("releases");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_cannot_be_read_refuses_and_others_go_on() {
    let driver = Driver::in_memory(1);
    damage(&driver, "bad").await;
    let node = start(options("a", &driver, doubling(&Counter::default()))).await;
    let run = driver.start("bad", "sum", 2_u64).await;
    let outcome = driver.outcome("bad", run).await;
    let RunOutcome::Refused(Refusal::Corrupt { reason }) = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("not a Rethread record"), "{reason}");
    assert_eq!(driver.invoke::<u64>("good", "sum", 3_u64).await, 6);
    node.shutdown().await.expect("shuts down");
}

/// A clock that panics when a coordinator asks it, as long as there are fuses: for the node it is
/// what a bug of the engine would be.
fn bomb(fuses: &Arc<AtomicU32>) -> Clock {
    let (clock, fuses) = (Clock::starting_at(Millis(1)), Arc::clone(fuses));
    Clock::new(move || {
        let take_one = |left: u32| left.checked_sub(1);
        let is_engine = std::thread::current().name() == Some("rethread-engine");
        let lit = is_engine && fuses.fetch_update(SeqCst, SeqCst, take_one).is_ok();
        assert!(!lit, "the coordinator fails");
        clock.now()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_outlives_its_coordinator() {
    let fuses = Arc::default();
    let driver = Driver::in_memory(1);
    let options = options("a", &driver, doubling(&Counter::default()));
    let node = start(NodeOptions { clock: bomb(&fuses), ..options }).await;
    fuses.store(3, SeqCst);
    assert_eq!(driver.invoke::<u64>("t", "sum", 3_u64).await, 6);
    assert_eq!(node.stats().coordinator_failures, 3);

    // As often as a thread is loaded again, and once more.
    fuses.store(6, SeqCst);
    let run = driver.start("u", "sum", 3_u64).await;
    let outcome = driver.outcome("u", run).await;
    let RunOutcome::Refused(Refusal::Corrupt { reason }) = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("fails again and again"), "{reason}");
    node.shutdown().await.expect("shuts down");
}
