use std::future::IntoFuture;

use rethread_client::{
    CheckpointId, ClientError, Refusal, Result, RunOutcome, Thread, ThreadStatus,
};
use rethread_core::header::ThreadHeader;
use rethread_core::ids::{CallId, Millis};
use rethread_core::journal::{Asked, Entry, Fact};
use rethread_core::message::{Action, Cancel, Command, ThreadCopy, Update, UpdateAs};

use crate::coordinator::{
    Coordinator, checkpoint_id, header, input_checkpoint, interrupt, interrupt_id, pair, payload,
    run_id,
};

async fn thread() -> (Thread, Coordinator) {
    let (client, coordinator) = pair().await;
    (client.thread("essay-1").expect("an id"), coordinator)
}

/// Makes an edit while the coordinator ends it; gives what it was told to do.
async fn edit<T>(
    coordinator: &mut Coordinator,
    outcome: RunOutcome,
    edit: impl IntoFuture<Output = Result<T>>,
) -> (Result<T>, Command) {
    let script = async {
        let command = coordinator.command().await;
        coordinator.answer(&command, outcome).await;
        command
    };
    tokio::join!(edit.into_future(), script)
}

fn made() -> RunOutcome {
    RunOutcome::Edited(Some(checkpoint_id(9)))
}

fn update(command: &Command) -> &Update {
    match &command.action {
        Action::Update(update) => update,
        other => panic!("no update: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_update_gives_its_checkpoint() {
    let (thread, mut coordinator) = thread().await;
    let request = thread.update_state("U").save("S").entrypoint("workflow").metadata("by", "ada");
    let (result, command) = edit(&mut coordinator, made(), request).await;
    assert_eq!(result, Ok(checkpoint_id(9)));
    let expected = Update {
        kind: UpdateAs::Node(None),
        values: payload("U"),
        save: Some(payload("S")),
        entrypoint: Some("workflow".into()),
        more: Vec::new(),
        path: Vec::new(),
    };
    assert_eq!(*update(&command), expected);
    assert_eq!(command.settings.config.metadata["by"], payload("ada"));
}

#[tokio::test(start_paused = true)]
async fn an_update_is_made_in_a_name() {
    let (thread, mut coordinator) = thread().await;
    coordinator.put(Some(header(run_id(1), ThreadStatus::Idle, 1)), Vec::new()).await;
    coordinator.put(None, vec![input_checkpoint(1, run_id(1), "cat")]).await;
    let edit_of = || thread.update_state("U");
    let cases = [
        (edit_of().as_node("main"), UpdateAs::Node(Some("main".into()))),
        (edit_of().as_node("__input__"), UpdateAs::Input),
        (edit_of().as_input(), UpdateAs::Input),
        (edit_of().as_node("__end__"), UpdateAs::End),
        (edit_of().as_end(), UpdateAs::End),
        (edit_of().as_node("__copy__"), UpdateAs::Copy),
        (edit_of().copy(), UpdateAs::Copy),
    ];
    for (request, kind) in cases {
        let (result, command) = edit(&mut coordinator, made(), request).await;
        result.expect("made");
        // A copy is of the newest checkpoint unless another one is named.
        assert_eq!(command.at.is_some(), kind == UpdateAs::Copy);
        assert_eq!(update(&command).kind, kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a_fork_copies_the_checkpoint_that_is_named() {
    let (thread, mut coordinator) = thread().await;
    let nothing = thread.update_state(()).copy().await.expect_err("nothing to copy");
    let refused = ClientError::Refused(Refusal::InvalidUpdate {
        reason: "the thread has no checkpoint to copy".into(),
    });
    assert_eq!(nothing, refused);
    let missing = thread.fork(checkpoint_id(1)).await.expect_err("is not there");
    assert!(matches!(missing, ClientError::CheckpointNotFound { .. }), "{missing}");

    coordinator.put(None, vec![input_checkpoint(1, run_id(1), "cat")]).await;
    let fork = Box::pin(thread.fork(checkpoint_id(1)));
    let (result, command) = edit(&mut coordinator, made(), fork).await;
    assert_eq!(result, Ok(checkpoint_id(9)));
    assert_eq!(command.at.as_ref().expect("attached").id, checkpoint_id(1));
    assert_eq!(update(&command).kind, UpdateAs::Copy);
}

#[tokio::test(start_paused = true)]
async fn deletion_and_cancelling_are_told_to_the_coordinator() {
    let (thread, mut coordinator) = thread().await;
    let ended = || RunOutcome::Edited(None);
    let (result, command) = edit(&mut coordinator, ended(), Box::pin(thread.delete())).await;
    assert_eq!((result, command.action), (Ok(()), Action::Delete));
    let (result, command) = edit(&mut coordinator, ended(), Box::pin(thread.cancel())).await;
    assert_eq!((result, command.action), (Ok(()), Action::Cancel(Cancel::default())));
    let busy = Refusal::Busy { run: run_id(7) };
    let refused = RunOutcome::Refused(busy.clone());
    let (result, _) = edit(&mut coordinator, refused, Box::pin(thread.delete())).await;
    assert_eq!(result, Err(ClientError::Refused(busy)));
}

#[tokio::test(start_paused = true)]
async fn pruning_names_all_but_the_newest() {
    let (thread, mut coordinator) = thread().await;
    let checkpoints = (1..=250).map(|nth| input_checkpoint(nth, run_id(1), "cat"));
    coordinator.put(None, checkpoints.collect()).await;
    let (result, command) =
        edit(&mut coordinator, RunOutcome::Edited(None), Box::pin(thread.prune(120))).await;
    result.expect("pruned");
    let Action::Prune(ids) = command.action else { panic!("{command:?}") };
    let expected: Vec<CheckpointId> = (1..=130).rev().map(checkpoint_id).collect();
    assert_eq!(ids, expected);
    // Nothing to do is nothing to ask for.
    thread.prune(250).await.expect("pruned");
    assert_eq!(coordinator.commands_now().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_copy_has_everything_of_the_thread() {
    let (thread, mut coordinator) = thread().await;
    let nothing = thread.copy_to("copy").await.expect_err("nothing there");
    assert!(matches!(nothing, ClientError::Refused(Refusal::NothingToContinue { .. })));

    let waiting = header(run_id(1), ThreadStatus::Interrupted(vec![interrupt(1, "?")]), 150);
    let checkpoints: Vec<_> =
        (1..=150).map(|nth| input_checkpoint(nth, run_id(1), "cat")).collect();
    let asked = Fact::Asked(Asked {
        interrupt: interrupt_id(1),
        scope: CallId::from_bytes([1; 16]),
        index: 0,
        value: payload("?"),
    });
    let journal = vec![Entry { at: Millis(1), fact: asked }];
    let (kept, entries) = (checkpoints.clone(), journal.clone());
    coordinator.put_with_journal(Some(waiting.clone()), kept, entries).await;
    let copying = Box::pin(thread.copy_to("copy"));
    let (result, command) = edit(&mut coordinator, made(), copying).await;
    assert_eq!(result.expect("copied").id().as_str(), "copy");
    assert_eq!(command.thread.as_str(), "copy");
    let copy = ThreadCopy { header: waiting, journal, checkpoints };
    assert_eq!(command.action, Action::Import(Box::new(copy)));
}

#[tokio::test(start_paused = true)]
async fn a_thread_that_runs_is_not_copied() {
    let (thread, mut coordinator) = thread().await;
    let running: ThreadHeader = header(run_id(1), ThreadStatus::Running, 1);
    coordinator.put(Some(running), vec![input_checkpoint(1, run_id(1), "cat")]).await;
    let error = thread.copy_to("copy").await.expect_err("runs");
    assert_eq!(error, ClientError::Refused(Refusal::Busy { run: run_id(1) }));
    let error = thread.copy_to("").await.expect_err("no id");
    assert!(matches!(error, ClientError::InvalidId(_)), "{error}");
    assert_eq!(coordinator.commands_now().await, 0);
}
