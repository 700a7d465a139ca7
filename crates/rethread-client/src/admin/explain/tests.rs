use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use rethread_core::event::Refusal;
use rethread_core::failure::Failure;
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{
    CallId, CallKind, CheckpointId, ExecutionId, InterruptId, NodeId, PartitionId, QueueName,
    RunId, WorkerId,
};
use rethread_core::message::{Target, TaskOrder};
use rethread_core::outlook::StuckReplay;
use rethread_core::payload::Payload;
use rethread_core::policy::Timeouts;
use rethread_core::record::Record;
use rethread_core::settings::RunConfig;
use rethread_storage::{OrderStatus, PartitionHolder, PartitionStatus};

use super::*;
use crate::admin::WorkerInfo;
use crate::admin::situation::place;

const NOW: Millis = Millis(1_000_000);

fn call(n: u8) -> CallId {
    CallId::from_bytes([n; 16])
}

fn thread() -> ThreadId {
    ThreadId::new("t").expect("valid")
}

fn run() -> RunId {
    RunId::from_uuid(uuid::Uuid::from_bytes([1; 16]))
}

fn queue(name: &str) -> QueueName {
    QueueName::new(name).expect("valid")
}

fn question(n: u8) -> Interrupt {
    Interrupt { id: InterruptId::from_bytes([n; 16]), value: Payload::NULL, path: Vec::new() }
}

fn outlook(status: ThreadStatus) -> Outlook {
    Outlook {
        status: Some(status),
        run: Some(run()),
        entrypoint: Some("flow".into()),
        stuck: None,
        calls: Vec::new(),
        calls_open: 0,
        questions: Vec::new(),
        awaits_local: false,
        waiting: Vec::new(),
    }
}

fn waits(n: u8, waits_for: WaitsFor) -> OpenCallOutlook {
    let path = vec!["outer".to_owned()];
    OpenCallOutlook { call: call(n), kind: CallKind::Task, name: "draw".into(), path, waits_for }
}

/// A run in progress with these open calls.
fn with_calls(calls: Vec<OpenCallOutlook>) -> Outlook {
    Outlook { calls_open: calls.len(), calls, ..outlook(ThreadStatus::Running) }
}

fn situation(answer: Answer) -> Situation {
    let holder =
        PartitionHolder { node: NodeId::new("n1").expect("valid"), epoch: 3, expires_in_ms: 900 };
    Situation {
        thread: thread(),
        partition: 2,
        status: PartitionStatus {
            owner: (!matches!(answer, Answer::Nobody)).then_some(holder),
            last_commit: 9,
            inbox: 5,
            active_threads: 1,
            dead_letters: 0,
            queues: Vec::new(),
        },
        header: None,
        answer,
        orders: Vec::new(),
        workers: Vec::new(),
    }
}

fn explained(outlook: Outlook) -> Situation {
    situation(Answer::Outlook(Box::new(outlook)))
}

fn order(n: u8, worker: Option<&str>, before: usize) -> PlacedOrder {
    let execution = ExecutionId::from(run());
    let order = TaskOrder {
        partition: PartitionId(2),
        target: Target { thread: thread().key(), execution, call: call(n), attempt: 1 },
        thread: thread(),
        run: run(),
        name: "draw".into(),
        input: Payload::NULL,
        answers: Vec::new(),
        try_number: 1,
        timeouts: Timeouts::default(),
        cache: None,
        config: Arc::new(RunConfig::default()),
        context: None,
        trace: None,
    };
    PlacedOrder { order, worker: worker.map(str::to_owned), age_ms: 41_000, before }
}

#[test]
fn what_waits_before_an_order_is_counted_in_its_own_queue() {
    let foreign = |queue: &str, worker: Option<&str>| OrderStatus {
        queue: QueueName::new(queue).expect("valid"),
        order: Bytes::new(),
        worker: worker.map(|name| WorkerId::new(name).expect("valid")),
        age_ms: 0,
    };
    let ours = OrderStatus { order: order(1, None, 0).order.to_record(), ..foreign("a", None) };
    let orders = [foreign("a", None), foreign("b", None), foreign("a", Some("w")), ours];
    let placed = place(&thread(), orders.to_vec());
    assert_eq!(placed.iter().map(|order| order.before).collect::<Vec<_>>(), [1]);
}

fn worker(name: &str, silent_for_ms: u64, serves: &str, tasks: &[&str]) -> WorkerInfo {
    WorkerInfo {
        worker: name.to_owned(),
        silent_for_ms,
        queues: BTreeMap::from([(serves.to_owned(), 4)]),
        tasks: tasks.iter().map(|task| (*task).to_owned()).collect(),
        started_at_ms: Some(1),
        version: Some("1".into()),
    }
}

fn kinds(situation: &Situation) -> Vec<FindingKind> {
    explain(situation, NOW).findings.iter().map(|finding| finding.kind).collect()
}

/// The only finding.
fn only(situation: &Situation) -> Finding {
    let mut findings = explain(situation, NOW).findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

fn header(status: ThreadStatus) -> ThreadHeader {
    ThreadHeader {
        thread: thread(),
        entrypoint: "flow".into(),
        status,
        run: run(),
        execution: None,
        head: CheckpointId::from_uuid(uuid::Uuid::from_bytes([2; 16])),
        step: 1,
        base: None,
        asking: Vec::new(),
        children: BTreeMap::new(),
        checkpoints_made: 1,
        updated_at: NOW,
    }
}

#[test]
fn without_a_coordinator_the_header_tells_the_rest() {
    let mut nobody = situation(Answer::Nobody);
    assert_eq!(kinds(&nobody), [FindingKind::NoOwner, FindingKind::NeverRan]);
    nobody.header = Some(header(ThreadStatus::Interrupted(vec![question(7)])));
    let explanation = explain(&nobody, NOW);
    assert_eq!(kinds(&nobody), [FindingKind::NoOwner, FindingKind::Question]);
    assert!(explanation.findings[0].text.contains("partition 2"), "{explanation:?}");
    assert!(explanation.findings[0].text.contains("5 messages"), "{explanation:?}");
    assert_eq!(explanation.findings[1].interrupt, Some(InterruptId::from_bytes([7; 16])));
    assert_eq!((explanation.owner, explanation.status), (None, Some("interrupted".into())));
}

#[test]
fn a_coordinator_that_does_not_answer_is_named() {
    let mut silent = situation(Answer::Silent(Duration::from_secs(5)));
    silent.header = Some(header(ThreadStatus::Running));
    let finding = only(&silent);
    assert_eq!(finding.kind, FindingKind::OwnerSilent);
    assert!(finding.text.contains("node n1") && finding.text.contains("5 s"), "{finding:?}");
    let refused = situation(Answer::Refused(Refusal::Corrupt { reason: "bits".into() }));
    assert_eq!(kinds(&refused), [FindingKind::Unloadable, FindingKind::NeverRan]);
    let overloaded = situation(Answer::Overloaded);
    assert_eq!(kinds(&overloaded)[0], FindingKind::Overloaded);
}

#[test]
fn a_thread_at_rest_says_how_it_goes_on() {
    for (status, kind, advice) in [
        (ThreadStatus::Idle, FindingKind::Idle, None),
        (ThreadStatus::Cancelled, FindingKind::Cancelled, Some("runs retry t")),
        (ThreadStatus::Pending, FindingKind::Pending, Some("runs retry t")),
        (
            ThreadStatus::Failed(Failure::new("Declined", "no money")),
            FindingKind::Failed,
            Some("runs retry t"),
        ),
        (
            ThreadStatus::Interrupted(vec![question(1)]),
            FindingKind::Question,
            Some("runs resume t --id 0101"),
        ),
    ] {
        let finding = only(&explained(outlook(status)));
        assert_eq!(finding.kind, kind);
        let found = finding.advice.unwrap_or_default();
        assert!(found.contains(advice.unwrap_or_default()), "{found}");
    }
}

#[test]
fn an_order_is_told_by_where_it_stands() {
    let waiting = WaitsFor::Worker { queue: queue("gpu"), attempt: 1 };
    let mut queued = explained(with_calls(vec![waits(1, waiting)]));
    assert_eq!(only(&queued).kind, FindingKind::OrderMissing);

    queued.orders = vec![order(1, None, 6)];
    let finding = only(&queued);
    assert_eq!((finding.kind, finding.queue.as_deref()), (FindingKind::NoWorker, Some("gpu")));
    assert!(
        finding.text.contains("`outer > draw`") && finding.text.contains("41 s"),
        "{finding:?}"
    );
    assert!(finding.advice.is_some_and(|advice| advice.contains("--queue gpu")));

    // One that serves another queue, or is silent, is of no use.
    queued.workers =
        vec![worker("w1", 0, "cpu", &["draw"]), worker("w2", 60_000, "gpu", &["draw"])];
    assert_eq!(only(&queued).kind, FindingKind::NoWorker);
    queued.workers.push(worker("w3", 0, "gpu", &["paint"]));
    assert_eq!(only(&queued).kind, FindingKind::UnknownTask);
    queued.workers.push(worker("w4", 0, "gpu", &["draw"]));
    let finding = only(&queued);
    assert_eq!(finding.kind, FindingKind::Queued);
    assert!(finding.text.contains("behind 6 others"), "{finding:?}");
}

#[test]
fn a_task_with_a_worker_is_told_by_whether_that_lives() {
    let waiting = WaitsFor::Worker { queue: queue("gpu"), attempt: 1 };
    let mut taken = explained(with_calls(vec![waits(1, waiting)]));
    taken.orders = vec![order(1, Some("w1"), 0)];
    assert_eq!(only(&taken).kind, FindingKind::WorkerSilent);
    taken.workers = vec![worker("w1", 30_000, "gpu", &["draw"])];
    let finding = only(&taken);
    assert_eq!((finding.kind, finding.worker.as_deref()), (FindingKind::WorkerSilent, Some("w1")));
    assert!(finding.text.contains("silent for 30 s"), "{finding:?}");
    taken.workers[0].silent_for_ms = 300;
    assert_eq!(only(&taken).kind, FindingKind::Running);
}

#[test]
fn everything_else_has_its_finding_the_most_telling_first() {
    let at = Millis(NOW.0 + 90_000);
    let mut all = with_calls(vec![
        waits(1, WaitsFor::Place),
        waits(2, WaitsFor::Retry { attempt: 3, at }),
        waits(3, WaitsFor::Time { at }),
        waits(4, WaitsFor::Storage),
        waits(5, WaitsFor::Delivery),
        waits(6, WaitsFor::Answer),
        waits(7, WaitsFor::Body),
        waits(8, WaitsFor::Replay),
    ]);
    all.calls_open = 20;
    all.questions = vec![question(9)];
    all.awaits_local = true;
    all.stuck = Some(StuckReplay { position: 3, entries: 7 });
    all.waiting = vec![run(), run()];
    let situation = explained(all);
    let expected = [
        FindingKind::StuckReplay,
        FindingKind::Question,
        FindingKind::ConcurrencyLimit,
        FindingKind::Retry,
        FindingKind::Sleeping,
        FindingKind::Storage,
        FindingKind::Local,
        FindingKind::Delivery,
        FindingKind::WaitingRuns,
        FindingKind::More,
    ];
    assert_eq!(kinds(&situation), expected);
    let findings = explain(&situation, NOW).findings;
    assert!(findings[3].text.ends_with("starts in 90 s"), "{findings:?}");
    assert_eq!(findings[3].at, Some(at));
    assert!(findings[9].text.starts_with("12 further"), "{findings:?}");
    assert_eq!(kinds(&explained(outlook(ThreadStatus::Running))), [FindingKind::Body]);
}

#[test]
fn the_json_has_the_documented_names() {
    let waiting = WaitsFor::Worker { queue: queue("gpu"), attempt: 1 };
    let mut queued = explained(with_calls(vec![waits(1, waiting)]));
    queued.orders = vec![order(1, None, 0)];
    let json = serde_json::to_value(explain(&queued, NOW)).expect("serializes");
    assert_eq!(json["owner"]["node"], "n1");
    assert_eq!(json["status"], "running");
    let finding = &json["findings"][0];
    assert_eq!(finding["kind"], "no_worker");
    assert_eq!(finding["call"], "01".repeat(16));
    assert_eq!((&finding["name"], &finding["queue"]), (&"draw".into(), &"gpu".into()));
    assert!(finding.get("worker").is_none() && finding["advice"].is_string());
}
