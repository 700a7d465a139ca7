use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use bytes::Bytes;
use rethread_core::event::{Refusal, RunOutcome};
use rethread_core::ids::{Millis, NodeId};
use rethread_sdk::{Entrypoint, Error, Registry};
use rethread_storage::{Acquisition, Activity, Commit, ThreadWrite};
use serde::{Deserialize, Deserializer, Serialize};

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
    let commit = Commit {
        lease,
        number: last_commit + 1,
        consumed: None,
        threads: vec![write],
        orders: Vec::new(),
    };
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

/// An input whose decoding panics, which no code of a body can catch: for the coordinator it is
/// what a bug of the engine would be.
#[derive(Serialize)]
struct Bomb;

/// Decodings that are left to panic.
static FUSES: AtomicU32 = AtomicU32::new(0);

impl<'de> Deserialize<'de> for Bomb {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <()>::deserialize(deserializer)?;
        let take_one = |left: u32| left.checked_sub(1);
        let lit = FUSES.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take_one);
        assert!(lit.is_err(), "the coordinator fails");
        Ok(Self)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_outlives_its_coordinator() {
    let main = Entrypoint::new("main", |_: Bomb| async { Ok::<_, Error>(1_u64) });
    let driver = Driver::in_memory(1);
    let registry = Registry::builder().entrypoint(main).build().expect("builds");
    let node = start(options("a", &driver, registry)).await;
    FUSES.store(3, Ordering::SeqCst);
    assert_eq!(driver.invoke::<u64>("t", "main", ()).await, 1);
    assert_eq!(node.stats().coordinator_failures, 3);

    FUSES.store(u32::MAX, Ordering::SeqCst);
    let run = driver.start("t", "main", ()).await;
    let outcome = driver.outcome("t", run).await;
    let RunOutcome::Refused(Refusal::Corrupt { reason }) = &outcome else { panic!("{outcome:?}") };
    assert!(reason.contains("fails again and again"), "{reason}");
    node.shutdown().await.expect("shuts down");
}
