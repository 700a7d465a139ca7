use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use rethread_client::{Client, ClientError, Cursor, EventKind, Outcome, StorageError};
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use tokio::time::Instant;

use crate::coordinator::{Coordinator, done, pair, payload, run_id, started, thread_id};
use crate::faulty::{Fault, Faulty};

async fn faulty() -> (Client, Arc<Faulty>, Coordinator) {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    let faulty = Arc::new(Faulty::new(Arc::clone(&storage)));
    let client = faulty.client();
    (client, faulty, Coordinator::new(storage).await)
}

#[tokio::test(start_paused = true)]
async fn a_request_in_doubt_is_repeated_and_has_its_effect_once() {
    let (client, faulty, mut coordinator) = faulty().await;
    faulty.submits([Fault::NotDone, Fault::AnswerLost, Fault::AnswerLost, Fault::NotDone]);
    client.new_thread().retry().start().await.expect("accepted");
    assert_eq!(coordinator.commands_now().await, 1);
    assert_eq!(faulty.submits_left(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_stays_away_is_told() {
    let (client, faulty, mut coordinator) = faulty().await;
    faulty.submits([Fault::NotDone; 1000]);
    let began = Instant::now();
    let error = client.new_thread().retry().start().await.expect_err("away");
    assert!(matches!(error, ClientError::Storage(StorageError::Unavailable { .. })), "{error}");
    assert_eq!(began.elapsed().as_secs(), 30);
    assert_eq!(coordinator.commands_now().await, 0);

    // One lost answer, and nobody knows.
    faulty.submits([Fault::AnswerLost].into_iter().chain([Fault::NotDone; 1000]));
    let request = client.new_thread().retry().run_id(run_id(7));
    let error = request.start().await.expect_err("away");
    assert!(matches!(error, ClientError::Unconfirmed { run, .. } if run == run_id(7)), "{error}");
    assert!(error.to_string().contains("00000007"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_does_not_pass_is_not_repeated() {
    let (client, faulty, _coordinator) = faulty().await;
    faulty.submits([Fault::Full, Fault::NotDone]);
    let error = client.new_thread().retry().start().await.expect_err("full");
    assert!(matches!(error, ClientError::Storage(StorageError::Full { .. })), "{error}");
    assert_eq!(faulty.submits_left(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_run_id_is_one_request() {
    let (client, mut coordinator) = pair().await;
    for _ in 0..3 {
        let request = client.thread_with_id(thread_id()).retry().run_id(run_id(7));
        request.start().await.expect("accepted");
    }
    assert_eq!(coordinator.commands_now().await, 1);
}

/// Events come while the reader waits.
async fn wait_while_written(client: &Client, coordinator: &mut Coordinator) -> Duration {
    let thread = client.thread_with_id(thread_id());
    let run = thread.run(run_id(1)).typed::<String>();
    let began = Instant::now();
    let script = async {
        coordinator.say(thread.id(), run_id(1), vec![started("workflow")]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let custom = EventKind::Custom { call: None, attempt: 1, value: payload(1) };
        let end = EventKind::RunEnded(done("cats"));
        coordinator.say(thread.id(), run_id(1), vec![custom, end]).await;
    };
    let (outcome, ()) = tokio::join!(run.wait(), script);
    assert_eq!(outcome, Ok(Outcome::Done("cats".into())));
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_ends_the_wait_at_once() {
    let (client, _faulty, mut coordinator) = faulty().await;
    assert!(wait_while_written(&client, &mut coordinator).await < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_lost_wake_up_delays_and_loses_nothing() {
    let (client, faulty, mut coordinator) = faulty().await;
    faulty.lose_wake_ups();
    let waited = wait_while_written(&client, &mut coordinator).await;
    assert!(waited <= Duration::from_secs(6), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_watch_whose_source_is_gone_is_made_anew() {
    let (client, faulty, mut coordinator) = faulty().await;
    faulty.break_watches();
    assert!(wait_while_written(&client, &mut coordinator).await < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn readers_outlast_a_storage_that_is_away_for_a_while() {
    let (client, faulty, mut coordinator) = faulty().await;
    faulty.fail_reads(8);
    wait_while_written(&client, &mut coordinator).await;
    faulty.fail_reads(1000);
    let events = client.thread_with_id(thread_id()).run(run_id(1)).events();
    let error = events.try_collect::<Vec<_>>().await.expect_err("away");
    assert!(matches!(error, ClientError::Storage(StorageError::Unavailable { .. })), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_read_again_and_told_if_it_stays() {
    let (client, faulty, mut coordinator) = faulty().await;
    wait_while_written(&client, &mut coordinator).await;
    let run = client.thread_with_id(thread_id()).run(run_id(1));
    for hidden in 1..=3 {
        faulty.hide(hidden, 2);
        let events = run.events().try_collect::<Vec<_>>().await.expect("reads");
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), [1, 2, 3]);
    }
    faulty.hide(2, usize::MAX);
    let error = run.events().try_collect::<Vec<_>>().await.expect_err("a gap");
    let cursor = Cursor::behind(2);
    assert_eq!(error, ClientError::Lagged { run: run_id(1), after: 1, cursor });
    faulty.hide(1, usize::MAX);
    let error = run.events_from(1).try_collect::<Vec<_>>().await.expect_err("a gap");
    assert_eq!(error, ClientError::EventsGone { run: run_id(1), after: 1 });
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_dropped_under_its_reader_is_no_reason_to_wait() {
    let (client, faulty, mut coordinator) = faulty().await;
    let thread = client.thread_with_id(thread_id());
    coordinator.say(thread.id(), run_id(1), vec![started("workflow")]).await;
    let mut events = thread.run(run_id(1)).events();
    assert_eq!(events.try_next().await.expect("reads").expect("an event").seq, 1);
    faulty.hide(1, usize::MAX);
    let error = events.try_next().await.expect_err("dropped");
    assert_eq!(error, ClientError::EventsGone { run: run_id(1), after: 1 });
}
