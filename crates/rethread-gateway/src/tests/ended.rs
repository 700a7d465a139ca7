use rethread_client::{Millis, RunId};
use serde_json::json;
use uuid::{Timestamp, Uuid};

use super::bench::Bench;
use crate::caller::Tenant;
use crate::json::Object;
use crate::records::{RunRecord, RunStatus};
use crate::runs::Ends;
use crate::times;

/// A run that a gateway has made that is gone.
async fn made(bench: &Bench, thread: Uuid, run: RunId, at: Millis) {
    let run_id = *run.as_uuid();
    let record = RunRecord {
        run_id,
        thread_id: thread,
        assistant_id: Uuid::nil(),
        metadata: Object::new(),
        status: RunStatus::Pending,
        kwargs: Object::new(),
        multitask_strategy: "enqueue".to_owned(),
        created_at: at,
        updated_at: at,
    };
    let runs = bench.shared.records().runs(&Tenant::Standard, thread);
    runs.put(run_id, &record).await.expect("written");
    bench.mark_at(thread, run, at).await;
}

async fn noted(bench: &Bench, thread: Uuid, run: RunId) -> (RunStatus, usize) {
    let records = bench.shared.records();
    let record = records.runs(&Tenant::Standard, thread).get(run.as_uuid()).await;
    let marks = records.active(&Tenant::Standard, thread).list().await.expect("readable");
    (record.expect("readable").expect("a record").status, marks.len())
}

#[tokio::test]
async fn ends_that_nobody_saw_are_noted() {
    let bench = Bench::start().await;
    let mut ends = Ends::default();
    let thread = bench.thread().await;
    bench.run(thread, "accumulate", json!(1)).await;
    let run = bench.engine(thread).overview().await.expect("readable").expect("it ran").run;
    made(&bench, thread, run, times::now()).await;
    assert_eq!(noted(&bench, thread, run).await, (RunStatus::Pending, 1));
    ends.look(&bench.shared).await.expect("readable");
    assert_eq!(noted(&bench, thread, run).await, (RunStatus::Success, 0));

    let failed = bench.thread().await;
    bench.run(failed, "boom", json!("hot")).await;
    let run = bench.engine(failed).overview().await.expect("readable").expect("it ran").run;
    made(&bench, failed, run, times::now()).await;
    let busy = bench.thread().await;
    let running = bench.start_endless(busy).await;
    made(&bench, busy, running, Millis(0)).await;
    ends.look(&bench.shared).await.expect("readable");
    assert_eq!(noted(&bench, failed, run).await, (RunStatus::Error, 0));
    assert_eq!(noted(&bench, busy, running).await, (RunStatus::Pending, 1), "it goes on");
}

#[tokio::test]
async fn a_run_that_stands_nowhere_keeps_its_thread_busy_for_two_looks_only() {
    let bench = Bench::start().await;
    let thread = bench.thread().await;
    let old = times::now().0 / 1_000 - 3_600;
    let lost = RunId::from_uuid(Uuid::new_v7(Timestamp::from_unix(uuid::NoContext, old, 0)));
    made(&bench, thread, lost, Millis(old * 1_000)).await;
    // One that was just asked for may be on its way.
    let young = RunId::from_uuid(Uuid::now_v7());
    made(&bench, thread, young, times::now()).await;
    let mut ends = Ends::default();
    ends.look(&bench.shared).await.expect("readable");
    assert_eq!(noted(&bench, thread, lost).await, (RunStatus::Pending, 2));
    ends.look(&bench.shared).await.expect("readable");
    assert_eq!(noted(&bench, thread, lost).await, (RunStatus::Error, 1));
    assert_eq!(noted(&bench, thread, young).await, (RunStatus::Pending, 1));
}
