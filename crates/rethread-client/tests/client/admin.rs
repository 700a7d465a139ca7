use std::sync::Arc;
use std::time::Duration;

use rethread_client::admin::{DeadLetterKind, FindingKind, ThreadQuery};
use rethread_client::{
    Client, ClientError, ClientOptions, EntrypointRef, Failure, Multitask, Refusal, RunOutcome,
    ThreadStatus,
};
use rethread_core::dead_letter::{DeadItem, DeadLetter};
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{CallId, CheckpointId, Millis, PartitionId, RunId, ThreadId};
use rethread_core::message::{Action, Cancel};
use rethread_core::outlook::Outlook;
use rethread_core::record::Record;
use rethread_storage::memory::{MemoryOptions, MemoryStorage};
use rethread_storage::{Acquisition, Commit, Storage, StorageError, ThreadWrite};

use crate::coordinator::{Coordinator, pair, run_id};

fn workflow() -> EntrypointRef<String, String> {
    EntrypointRef::named("workflow")
}

fn header(thread: &str, status: ThreadStatus, run: RunId) -> ThreadHeader {
    ThreadHeader {
        thread: ThreadId::new(thread).expect("an id"),
        entrypoint: "workflow".into(),
        status,
        run,
        execution: None,
        head: CheckpointId::from_uuid(uuid::Uuid::from_bytes([3; 16])),
        step: 0,
        base: None,
        asking: Vec::new(),
        children: Default::default(),
        checkpoints_made: 1,
        updated_at: Millis(7),
    }
}

/// A storage of several partitions whose threads stand as these headers say.
async fn storage_with(headers: &[ThreadHeader], letters: &[DeadLetter]) -> Arc<dyn Storage> {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(4));
    let node = rethread_core::ids::NodeId::new("node").expect("an id");
    for partition in (0..4).map(PartitionId) {
        let acquired = storage.acquire(partition, &node, Duration::from_secs(60)).await;
        let Ok(Acquisition::Acquired { lease, .. }) = acquired else { panic!("{acquired:?}") };
        let mine = headers.iter().filter(|header| header.thread.key().partition(4) == partition);
        let threads = mine.map(|header| ThreadWrite {
            header: Some(header.to_record()),
            ..ThreadWrite::none(header.thread.key())
        });
        let letters = letters.iter().filter(|_| partition.0 == 0).map(Record::to_record);
        let commit = Commit {
            threads: threads.collect(),
            dead_letters: letters.collect(),
            ..Commit::new(lease, 1)
        };
        storage.commit(commit).await.expect("commits");
    }
    storage
}

#[tokio::test(start_paused = true)]
async fn strategies_and_cancels_travel_with_the_command() {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let request = thread.invoke(workflow(), "cat".into()).multitask(Multitask::Rollback);
    request.start().await.expect("accepted");
    assert_eq!(coordinator.command().await.multitask, Multitask::Rollback);

    let cancelled = tokio::spawn({
        let run = thread.run(run_id(1));
        async move { run.roll_back().await }
    });
    let command = coordinator.command().await;
    let expected = Cancel { run: Some(run_id(1)), roll_back: true };
    assert_eq!(command.action, Action::Cancel(expected));
    let refusal = Refusal::NotRunning { run: run_id(1) };
    coordinator.answer(&command, RunOutcome::Refused(refusal.clone())).await;
    assert_eq!(cancelled.await.expect("no panic"), Err(ClientError::Refused(refusal)));
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_too_large_is_not_sent() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    let mut coordinator = Coordinator::new(Arc::clone(&storage)).await;
    let options = ClientOptions::default().payload_bytes_max(10);
    let thread = Client::from_storage_with(storage, options).thread("essay-1").expect("an id");
    let large = "x".repeat(10);
    let requests = [
        thread.invoke(workflow(), large.clone()).start().await.map(drop),
        thread.invoke(workflow(), "x".into()).context(&large).start().await.map(drop),
        thread.resume(&large).start().await.map(drop),
        thread
            .resume_by_id([(crate::coordinator::interrupt_id(1), &large)])
            .start()
            .await
            .map(drop),
        thread.update_state(&large).await.map(drop),
    ];
    for refused in requests {
        let error = refused.expect_err("is refused");
        assert!(
            matches!(error, ClientError::PayloadTooLarge { bytes: 11, max: 10, .. }),
            "{error}"
        );
        assert!(error.to_string().contains("`payload_bytes_max`"), "{error}");
    }
    assert_eq!(coordinator.commands_now().await, 0);
    thread.invoke(workflow(), "x".repeat(9)).start().await.expect("fits");
    assert_eq!(coordinator.commands_now().await, 1);
}

#[tokio::test(start_paused = true)]
async fn too_much_work_is_said_with_a_time_to_wait() {
    let options = MemoryOptions { inbox_max: 1, ..MemoryOptions::default() };
    let client = Client::from_storage(Arc::new(MemoryStorage::with_options(options)));
    let thread = client.thread("essay-1").expect("an id");
    thread.invoke(workflow(), "cat".into()).start().await.expect("accepted");
    let error = thread.retry().start().await.expect_err("is refused");
    assert!(error.retry_after().is_some_and(|after| !after.is_zero()), "{error}");
    let ClientError::Overloaded { source: StorageError::Overloaded { waiting, .. }, .. } = error
    else {
        panic!("{error}")
    };
    assert_eq!(waiting, 1);
    let waiting = ClientError::Refused(Refusal::TooManyWaiting { max: 100 });
    assert!(waiting.retry_after().is_some());
    assert_eq!(ClientError::Cancelled.retry_after(), None);
}

#[tokio::test(start_paused = true)]
async fn threads_are_listed_once_each_page_by_page() {
    let failed = |n| ThreadStatus::Failed(Failure::new("Declined", format!("{n}")));
    let headers: Vec<_> = (0..600)
        .map(|n| {
            let status = if n % 3 == 0 { failed(n) } else { ThreadStatus::Idle };
            header(&format!("t{n}"), status, run_id(1))
        })
        .collect();
    let admin = Client::from_storage(storage_with(&headers, &[]).await).admin();
    let (mut found, mut from) = (Vec::new(), None);
    loop {
        let mut query = ThreadQuery::new().status("failed").limit(50);
        if let Some(from) = from {
            query = query.from(from);
        }
        let list = admin.threads(query).await.expect("lists");
        assert!(list.damaged.is_empty(), "{list:?}");
        found.extend(list.threads.into_iter().map(|thread| thread.thread));
        from = list.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 200);
    found.sort();
    found.dedup();
    assert_eq!(found.len(), 200);
    let none = admin.threads(ThreadQuery::new().entrypoint("other")).await.expect("lists");
    assert_eq!((none.threads.len(), none.next), (0, None));
    let shown = admin.thread("t3").await.expect("reads").expect("is there");
    assert_eq!((shown.status.as_str(), shown.failure.as_deref()), ("failed", Some("Declined")));
    assert_eq!(admin.thread("t600").await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn dead_letters_are_listed_retried_and_removed() {
    let letter = |thread: &str, what: fn(ThreadId) -> DeadItem| DeadLetter {
        at: Millis(5),
        reason: "no worker survived it".into(),
        what: what(ThreadId::new(thread).expect("an id")),
    };
    let task = |thread| DeadItem::Task {
        thread,
        run: run_id(1),
        call: CallId::from_bytes([9; 16]),
        name: "draw".into(),
    };
    let letters = [
        letter("stands", task),
        letter("gone-on", task),
        letter("x", |_| DeadItem::Message(vec![1, 2, 3].into())),
    ];
    let failed = ThreadStatus::Failed(Failure::new("TaskPoisoned", "it aborts"));
    let headers = [
        header("stands", failed.clone(), run_id(1)),
        header("gone-on", ThreadStatus::Idle, run_id(2)),
    ];
    let storage = storage_with(&headers, &letters).await;
    let admin = Client::from_storage(storage).admin();
    let listed = admin.dead_letters(100).await.expect("lists");
    let kinds: Vec<_> = listed.iter().map(|letter| letter.kind).collect();
    assert_eq!(kinds, [DeadLetterKind::Task, DeadLetterKind::Task, DeadLetterKind::Message]);
    assert_eq!((listed[0].task.as_deref(), listed[2].bytes), (Some("draw"), Some(3)));
    assert_eq!(admin.dead_letter(listed[1].name).await, Ok(Some(listed[1].clone())));
    assert_eq!(admin.dead_letters(1).await.expect("lists").len(), 1);

    admin.retry_dead_letter(listed[0].name).await.expect("is retried");
    assert_eq!(admin.dead_letter(listed[0].name).await, Ok(None));
    for (name, why) in [(listed[1].name, "it is idle"), (listed[2].name, "only a task")] {
        let error = admin.retry_dead_letter(name).await.expect_err("cannot be retried");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(admin.remove_dead_letter(name).await, Ok(true));
        assert_eq!(admin.remove_dead_letter(name).await, Ok(false));
    }
    assert_eq!(admin.dead_letters(100).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_explanation_is_what_the_coordinator_says() {
    let (client, mut coordinator) = pair().await;
    let asked = tokio::spawn({
        let admin = client.admin();
        async move { admin.explain("essay-1").await }
    });
    let command = coordinator.command().await;
    assert_eq!(command.action, Action::Explain);
    let outlook = Outlook {
        status: Some(ThreadStatus::Idle),
        run: Some(run_id(4)),
        entrypoint: Some("workflow".into()),
        stuck: None,
        calls: Vec::new(),
        calls_open: 0,
        questions: Vec::new(),
        awaits_local: false,
        waiting: Vec::new(),
    };
    coordinator.answer(&command, RunOutcome::Explained(Box::new(outlook))).await;
    let explanation = asked.await.expect("no panic").expect("explains");
    assert_eq!(explanation.findings[0].kind, FindingKind::Idle);
    assert_eq!((explanation.run, explanation.partition), (Some(run_id(4)), 0));
    assert_eq!(explanation.owner.map(|owner| owner.node), Some("node".into()));

    // Nobody answers any more.
    drop(coordinator);
    let explanation = client.admin().explain("essay-1").await.expect("explains");
    assert_eq!(explanation.findings[0].kind, FindingKind::OwnerSilent);
}
