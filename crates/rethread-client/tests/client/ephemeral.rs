use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use rethread_client::{Client, EntrypointRef, Mode, Outcome, RunOutcome};
use rethread_core::message::{Action, Command};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;

use crate::coordinator::{Coordinator, done, interrupt, pair};
use crate::faulty::{Fault, Faulty};
use crate::shown::{line, no};

fn workflow() -> EntrypointRef<String, String> {
    EntrypointRef::named("workflow")
}

/// Ends the next run and says that the deletion that follows is done.
async fn end_and_delete(coordinator: &mut Coordinator, outcome: RunOutcome) -> Command {
    let run = coordinator.command().await;
    coordinator.answer(&run, outcome).await;
    let deletion = coordinator.command().await;
    assert_eq!((&deletion.thread, deletion.action.clone()), (&run.thread, Action::Delete));
    coordinator.answer(&deletion, RunOutcome::Edited(None)).await;
    run
}

async fn invoke(
    client: &Client,
    coordinator: &mut Coordinator,
    outcome: RunOutcome,
) -> rethread_client::Result<Outcome<String>> {
    let request = client.ephemeral().invoke(workflow(), "cat".into()).tag("t");
    let (result, run) = tokio::join!(request.into_future(), end_and_delete(coordinator, outcome));
    assert_eq!(run.settings.config.tags, ["t"]);
    result
}

#[tokio::test(start_paused = true)]
async fn the_thread_is_deleted_however_the_run_ends() {
    let (client, mut coordinator) = pair().await;
    let outcome = invoke(&client, &mut coordinator, done("cats")).await;
    assert_eq!(outcome, Ok(Outcome::Done("cats".into())));
    let asked = RunOutcome::Interrupted(vec![interrupt(1, "?")]);
    let outcome = invoke(&client, &mut coordinator, asked).await.expect("asks");
    assert_eq!(outcome.interrupts().len(), 1);
    invoke(&client, &mut coordinator, RunOutcome::Failed(no())).await.expect_err("fails");
    assert_eq!(coordinator.commands_now().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_stream_shows_no_checkpoints_and_deletes_at_its_end() {
    let (client, mut coordinator) = pair().await;
    let request = client.ephemeral().invoke(workflow(), "cat".into());
    let read = async {
        let stream = request.stream([Mode::Values, Mode::Checkpoints, Mode::Debug]).await;
        stream.expect("accepted").map(line).collect::<Vec<_>>().await
    };
    let asked = RunOutcome::Interrupted(vec![interrupt(1, "?")]);
    let (lines, _) = tokio::join!(read, end_and_delete(&mut coordinator, asked));
    assert_eq!(lines[0], "values {interrupts:[i1]}");
    assert!(lines.iter().all(|line| !line.contains("checkpoint")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_leaves_nothing_either() {
    let (client, mut coordinator) = pair().await;
    let request = client.ephemeral().invoke(workflow(), "cat".into());
    drop(request.stream([Mode::Values]).await.expect("accepted"));
    end_and_delete(&mut coordinator, done("cats")).await;
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_while_it_deletes_leaves_nothing_either() {
    let (client, mut coordinator) = pair().await;
    let mut request = client.ephemeral().invoke(workflow(), "cat".into()).into_future();
    let script = async {
        let run = coordinator.command().await;
        coordinator.answer(&run, done("cats")).await;
        coordinator.command().await
    };
    let deletion = tokio::select! {
        outcome = &mut request => panic!("nobody has deleted: {outcome:?}"),
        deletion = script => deletion,
    };
    assert_eq!(deletion.action, Action::Delete);
    drop(request);
    let again = coordinator.command().await;
    assert_eq!((again.thread, again.action), (deletion.thread, Action::Delete));
}

#[tokio::test(start_paused = true)]
async fn a_future_that_is_dropped_while_it_asks_leaves_nothing_either() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    let faulty = Arc::new(Faulty::new(Arc::clone(&storage)));
    let client = faulty.client();
    let mut coordinator = Coordinator::new(storage).await;
    faulty.submits([Fault::AnswerLost].into_iter().chain([Fault::NotDone; 1000]));
    let request = client.ephemeral().invoke(workflow(), "cat".into());
    let limit = Duration::from_secs(5);
    tokio::time::timeout(limit, request.into_future()).await.expect_err("the storage is away");
    faulty.submits([]);
    end_and_delete(&mut coordinator, done("cats")).await;
}
