//! Reading what a partition has in progress, before anything of it goes on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;
use rethread_core::ids::{Millis, PartitionId, ThreadKey};
use rethread_core::message::{InboxMessage, OpenCalls, Target, TaskOrder};
use rethread_core::planted;
use rethread_core::record::Record;
use rethread_storage::{InboxCursor, Result, Storage};

use crate::engine::Engine;
use crate::partition::OwnerMessage;
use crate::records;
use crate::tenure::Tenure;

/// Messages of one page of the inbox.
const PAGE: usize = 1_000;
/// Wait before a failed scan is repeated.
const RETRY_WAIT: Duration = Duration::from_millis(200);

/// Calls that must not be dispatched again, by thread.
pub(super) type InFlight = BTreeMap<ThreadKey, OpenCalls>;

/// What stands in queues and inbox.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) in_flight: InFlight,
    /// Whether a newer version has written some of it, which is not known here then.
    pub(super) has_newer: bool,
}

/// What a new owner finds.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(super) in_flight: InFlight,
    /// Whether there is more, which only a newer version can read.
    pub(super) in_doubt: bool,
    /// Threads with work in progress, and from when on.
    pub(super) active: Vec<(ThreadKey, Millis)>,
}

/// Scans until it succeeds or the lease ends.
pub(super) async fn scan_and_send(
    engine: Arc<Engine>,
    tenure: Arc<Tenure>,
    partition: PartitionId,
    owner: ActorRef<OwnerMessage>,
) {
    while tenure.is_live() {
        match scan(&engine, partition).await {
            // An owner that is gone needs no scan.
            Ok(scan) => {
                engine.failures.scans.worked();
                return drop(owner.cast(OwnerMessage::Scanned(scan)));
            }
            Err(error) => {
                tracing::debug!(%partition, %error, "cannot read the partition");
                engine.failures.scans.failed(&error);
                tokio::time::sleep(RETRY_WAIT).await;
            }
        }
    }
    owner.stop(Some("lease ended before the partition could be read".into()));
}

async fn scan(engine: &Engine, partition: PartitionId) -> Result<Scan> {
    let Standing { mut in_flight, has_newer: in_doubt } =
        scan_in_flight(&*engine.storage, partition).await?;
    if planted::is("no-catch-up") {
        in_flight.clear();
    }
    let active = engine.storage.active_threads(partition).await?;
    Ok(Scan { in_flight, in_doubt, active })
}

/// Finds the calls whose orders are queued or assigned, or whose reports are not consumed.
///
/// Queues are read before the inbox: an order leaves its queue only when its report stands in
/// the inbox, so what is in neither is recorded or was never sent.
pub(super) async fn scan_in_flight(
    storage: &dyn Storage,
    partition: PartitionId,
) -> Result<Standing> {
    let mut standing = Standing::default();
    let Standing { in_flight, has_newer } = &mut standing;
    for queued in storage.queued_orders(partition).await? {
        match TaskOrder::from_record(&queued.order) {
            Ok(TaskOrder { target, .. }) => note(in_flight, &target),
            // What cannot be read becomes a dead letter when a worker is given it.
            Err(error) => *has_newer |= records::is_newer(&error),
        }
    }
    let mut cursor = InboxCursor::START;
    loop {
        let page = storage.read_inboxes(&[(partition, cursor)], PAGE, Duration::ZERO).await?;
        let Some(last) = page.last() else { return Ok(standing) };
        cursor = last.cursor;
        for item in &page {
            match records::message(&item.message) {
                Ok(InboxMessage::Report(report)) => note(in_flight, &report.target),
                Ok(_) => {}
                // What cannot be read is reported when it is routed.
                Err(error) => *has_newer |= records::is_newer(&error),
            }
        }
    }
}

/// Notes an attempt. Of a call that was cancelled and is ordered again there may be the report of
/// an earlier one too.
fn note(in_flight: &mut InFlight, target: &Target) {
    let calls = in_flight.entry(target.thread).or_default();
    let newest = calls.entry(target.open_call()).or_insert(target.attempt);
    *newest = target.attempt.max(*newest);
}
