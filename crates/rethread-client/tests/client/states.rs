use std::collections::BTreeMap;

use rethread_client::{
    ClientError, Failure, HistoryQuery, Millis, OpenInterrupts, Outcome, Payload, Refusal,
    ReplayMismatch, Source, ThreadStatus,
};
use rethread_core::checkpoint::{Checkpoint, Progress};
use rethread_core::header::ThreadHeader;
use rethread_core::ids::ThreadId;

use crate::coordinator::{
    checkpoint_id, header, input_checkpoint, interrupt, pair, payload, run_id,
};

fn final_checkpoint() -> Checkpoint {
    Checkpoint {
        id: checkpoint_id(2),
        parent: Some(checkpoint_id(1)),
        created_at: Millis(9),
        source: Source::Loop,
        step: 0,
        values: payload("cats"),
        input: None,
        metadata: BTreeMap::from([("user".to_owned(), payload("ada"))]),
        ..input_checkpoint(2, run_id(1), ())
    }
}

#[tokio::test]
async fn a_thread_that_never_ran_has_no_state() {
    let (client, _coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    assert_eq!(thread.state().await, Ok(None));
    assert_eq!(thread.status().await, Ok(None));
    assert_eq!(thread.state_at(checkpoint_id(1)).await, Ok(None));
    assert_eq!(thread.history(HistoryQuery::new()).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_completed_thread_has_nothing_left_to_do() {
    let (client, mut coordinator) = pair().await;
    let input = Checkpoint {
        progress: Progress { result: Some(payload("cats")), ..Progress::default() },
        ..input_checkpoint(1, run_id(1), "cat")
    };
    let idle = ThreadHeader {
        execution: None,
        base: Some(checkpoint_id(2)),
        ..header(run_id(1), ThreadStatus::Idle, 2)
    };
    coordinator.put(Some(idle), vec![input, final_checkpoint()]).await;

    let thread = client.thread("essay-1").expect("an id");
    let state = thread.state().await.expect("reads").expect("ran");
    assert_eq!(state.values.decode::<String>(), Ok("cats".into()));
    assert_eq!((state.next.len(), state.tasks.len(), state.interrupts.len()), (0, 0, 0));
    assert_eq!((state.checkpoint, state.parent), (checkpoint_id(2), Some(checkpoint_id(1))));
    assert_eq!((state.step, state.source, state.created_at), (0, Source::Loop, Millis(9)));
    assert_eq!(state.metadata["user"].decode::<String>(), Ok("ada".into()));
    assert_eq!(thread.status().await, Ok(Some(ThreadStatus::Idle)));

    // The record of the step that started at the input says what came of it.
    let record = thread.state_at(checkpoint_id(1)).await.expect("reads").expect("is there");
    assert_eq!(record.next, ["workflow"]);
    assert!(record.values.is_null());
    let result = record.tasks[0].result.as_ref().expect("completed");
    assert_eq!(result.decode::<String>(), Ok("cats".into()));
    let all = thread.history(HistoryQuery::new()).await.expect("reads");
    let ids = |states: &[rethread_client::StateSnapshot]| {
        states.iter().map(|state| state.checkpoint).collect::<Vec<_>>()
    };
    assert_eq!(ids(&all), [checkpoint_id(2), checkpoint_id(1)]);
    let older = thread.history(HistoryQuery::new().before(checkpoint_id(2))).await.expect("reads");
    assert_eq!(ids(&older), [checkpoint_id(1)]);
}

#[tokio::test]
async fn an_unfinished_thread_shows_what_is_open_or_wrong() {
    let failure = Failure::new("Declined", "card was declined");
    let mismatch = ReplayMismatch { position: 3, expected: "a".into(), found: "b".into() };
    let cases = [
        (ThreadStatus::Running, 0, None),
        (ThreadStatus::Interrupted(vec![interrupt(1, "?")]), 1, None),
        (ThreadStatus::Failed(failure), 0, Some("Declined")),
        (ThreadStatus::Parked(mismatch), 0, Some("ReplayMismatch")),
        (ThreadStatus::Cancelled, 0, None),
        (ThreadStatus::Pending, 0, None),
    ];
    for (status, interrupts, error) in cases {
        let (client, mut coordinator) = pair().await;
        // What the step asked last is answered by now: only its record shows it.
        let asked = Progress { interrupts: vec![interrupt(7, "old")], ..Progress::default() };
        let input = Checkpoint { progress: asked, ..input_checkpoint(1, run_id(1), "cat") };
        coordinator.put(Some(header(run_id(2), status.clone(), 1)), vec![input]).await;
        let thread = client.thread("essay-1").expect("an id");
        let state = thread.state().await.expect("reads").expect("ran");
        assert_eq!(state.next, ["workflow"]);
        assert_eq!(state.interrupts.len(), interrupts, "{status:?}");
        let [task] = &state.tasks[..] else { panic!("{state:?}") };
        assert_eq!((task.name.as_str(), task.interrupts.len()), ("workflow", interrupts));
        assert_eq!(task.error.as_ref().map(|failure| failure.kind.as_str()), error);
        let record = thread.state_at(checkpoint_id(1)).await.expect("reads").expect("is there");
        assert_eq!(record.interrupts.len(), 1);
    }
}

#[tokio::test]
async fn questions_beside_running_work_are_shown() {
    let (client, mut coordinator) = pair().await;
    let asking = vec![interrupt(1, "?")];
    let running = ThreadHeader { asking, ..header(run_id(1), ThreadStatus::Running, 1) };
    coordinator.put(Some(running), vec![input_checkpoint(1, run_id(1), "cat")]).await;
    let thread = client.thread("essay-1").expect("an id");
    let state = thread.state().await.expect("reads").expect("ran");
    assert_eq!(state.interrupts.len(), 1);
}

#[tokio::test]
async fn a_missing_checkpoint_and_a_colliding_id_are_told() {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    coordinator.put(Some(header(run_id(1), ThreadStatus::Idle, 5)), Vec::new()).await;
    let error = thread.state().await.expect_err("missing").to_string();
    assert!(error.contains("`essay-1`") && error.contains("is missing"), "{error}");

    let other = ThreadId::new("other").expect("an id");
    let foreign = ThreadHeader { thread: other, ..header(run_id(1), ThreadStatus::Idle, 5) };
    coordinator.put(Some(foreign), Vec::new()).await;
    let refusal = Refusal::IdCollision { other: "other".into() };
    assert_eq!(thread.status().await, Err(ClientError::Refused(refusal)));
}

#[test]
fn an_outcome_gives_its_result() {
    assert_eq!(Outcome::Done(7).done(), Some(7));
    assert!(Outcome::Done(Payload::NULL).interrupts().is_empty());
    assert_eq!(Outcome::<u8>::Interrupted(OpenInterrupts::default()).done(), None);
}
