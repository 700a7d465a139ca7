use std::collections::BTreeMap;

use rethread_client::{
    ClientError, Failure, Millis, Outcome, Payload, Refusal, ReplayMismatch, Source, ThreadStatus,
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
    assert_eq!(thread.history(None, 10).await, Ok(Vec::new()));
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
    assert_eq!((state.next.len(), state.interrupts.len(), state.error), (0, 0, None));
    assert_eq!((state.checkpoint, state.parent), (checkpoint_id(2), Some(checkpoint_id(1))));
    assert_eq!((state.step, state.source, state.created_at), (0, Source::Loop, Millis(9)));
    assert_eq!(state.metadata["user"].decode::<String>(), Ok("ada".into()));
    assert_eq!(thread.status().await, Ok(Some(ThreadStatus::Idle)));

    // The record of the step that started at the input says what came of it.
    let record = thread.state_at(checkpoint_id(1)).await.expect("reads").expect("is there");
    assert_eq!(record.next, ["workflow"]);
    assert!(record.values.is_null());
    assert_eq!(record.result.expect("completed").decode::<String>(), Ok("cats".into()));
    let all = thread.history(None, 10).await.expect("reads");
    let ids = |states: &[rethread_client::StateSnapshot]| {
        states.iter().map(|state| state.checkpoint).collect::<Vec<_>>()
    };
    assert_eq!(ids(&all), [checkpoint_id(2), checkpoint_id(1)]);
    let older = thread.history(Some(checkpoint_id(2)), 10).await.expect("reads");
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
        assert_eq!(state.error.as_ref().map(|failure| failure.kind.as_str()), error);
        let record = thread.state_at(checkpoint_id(1)).await.expect("reads").expect("is there");
        assert_eq!(record.interrupts.len(), 1);
    }
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
    assert_eq!(Outcome::<u8>::Interrupted(Vec::new()).done(), None);
}
