use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use rethread_client::{
    AnyValue, Client, ClientError, EntrypointRef, Event, EventKind, Failure, Outcome, Refusal,
    ReplayMismatch, Result, RunId, RunOutcome, ThreadStatus,
};
use rethread_core::ids::{OpId, PartitionId};
use rethread_core::message::{Action, Answers, InboxMessage};
use rethread_core::record::Record;
use rethread_sdk::Entrypoint;
use rethread_storage::Storage;
use rethread_storage::memory::MemoryStorage;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::coordinator::{
    Coordinator, done, header, input_checkpoint, interrupt, interrupt_id, pair, payload, run_id,
    started, thread_id,
};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Review {
    essay: String,
    is_approved: bool,
}

fn workflow() -> EntrypointRef<String, Review> {
    EntrypointRef::named("workflow")
}

/// Invokes the workflow while the coordinator ends its run.
async fn invoke_ending(outcome: RunOutcome) -> Result<Outcome<Review>> {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let script = async {
        let command = coordinator.command().await;
        coordinator.answer(&command, outcome).await;
    };
    let (outcome, ()) = tokio::join!(thread.invoke(workflow(), "cat".into()).into_future(), script);
    outcome
}

#[tokio::test(start_paused = true)]
async fn a_result_is_typed() {
    let review = Review { essay: "cats".into(), is_approved: true };
    let outcome = invoke_ending(done(&review)).await;
    assert_eq!(outcome, Ok(Outcome::Done(review)));
}

#[tokio::test(start_paused = true)]
async fn questions_are_an_outcome() {
    let open = vec![interrupt(1, "sure?"), interrupt(2, json!({"essay": "cats"}))];
    let outcome = invoke_ending(RunOutcome::Interrupted(open)).await.expect("interrupted");
    let asks = outcome.interrupts();
    assert_eq!(asks.iter().map(|ask| ask.id).collect::<Vec<_>>(), [1, 2].map(interrupt_id));
    assert_eq!(asks[0].value.decode::<String>(), Ok("sure?".into()));
    assert_eq!(asks[1].value.to_json(), Ok(json!({"essay": "cats"})));
    let error = asks[0].value.decode::<u8>().expect_err("a text").to_string();
    assert!(error.contains(&format!("value of interrupt {}", asks[0].id)), "{error}");
    assert!(outcome.done().is_none());
}

#[tokio::test(start_paused = true)]
async fn every_other_end_is_an_error() {
    let failure = Failure::new("Declined", "card was declined");
    let mismatch = ReplayMismatch { position: 3, expected: "a".into(), found: "b".into() };
    let refusal = Refusal::NothingToContinue { status: "idle".into() };
    let cases = [
        (RunOutcome::Failed(failure.clone()), ClientError::RunFailed(failure)),
        (RunOutcome::Parked(mismatch.clone()), ClientError::ReplayMismatch(mismatch)),
        (RunOutcome::Cancelled, ClientError::Cancelled),
        (RunOutcome::Refused(refusal.clone()), ClientError::Refused(refusal)),
    ];
    for (outcome, error) in cases {
        assert_eq!(invoke_ending(outcome).await, Err(error));
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_of_another_type_names_entrypoint_and_type() {
    let error = invoke_ending(done(7)).await.expect_err("a number").to_string();
    assert!(error.contains("result of entrypoint `workflow`"), "{error}");
    assert!(error.contains("Review"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn requests_say_what_to_do() {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");

    let request = thread.invoke(workflow(), "cat".into());
    let run = request.metadata("user", "ada").metadata("n", 7).start().await.expect("accepted");
    let command = coordinator.command().await;
    assert_eq!((&command.thread, command.run), (thread.id(), run.run_id()));
    let action = Action::Start { entrypoint: "workflow".into(), input: payload("cat") };
    assert_eq!(command.action, action);
    let metadata = [("n".to_owned(), payload(7)), ("user".to_owned(), payload("ada"))];
    assert_eq!(command.settings.config.metadata.into_iter().collect::<Vec<_>>(), metadata);

    thread.resume(json!({"ok": true})).start().await.expect("accepted");
    let answers = Answers::Only(payload(json!({"ok": true})));
    assert_eq!(coordinator.command().await.action, Action::Resume(answers));

    thread.resume_by_id([(interrupt_id(2), "no")]).start().await.expect("accepted");
    let answers = Answers::ById([(interrupt_id(2), payload("no"))].into());
    assert_eq!(coordinator.command().await.action, Action::Resume(answers));

    thread.retry().start().await.expect("accepted");
    assert_eq!(coordinator.command().await.action, Action::Retry);
}

#[tokio::test(start_paused = true)]
async fn an_entrypoint_with_its_code_is_a_reference_too() {
    let (client, mut coordinator) = pair().await;
    let thread = client.new_thread();
    let greet = Entrypoint::new("greet", |name: String| async move {
        Ok::<_, rethread_sdk::Error>(format!("hello {name}"))
    });
    thread.invoke(&greet, "Ada".into()).start().await.expect("accepted");
    thread.invoke(greet, "Ada".into()).start().await.expect("accepted");
    let action = Action::Start { entrypoint: "greet".into(), input: payload("Ada") };
    assert_eq!(coordinator.command().await.action, action);
    assert_eq!(coordinator.command().await.action, action);
}

#[tokio::test(start_paused = true)]
async fn a_resume_has_any_value_or_a_type() {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let run = thread.resume(true).start().await.expect("accepted");
    let command = coordinator.command().await;
    coordinator.answer(&command, done(json!({"essay": "cats", "is_approved": true}))).await;

    let value: AnyValue = run.wait().await.expect("ends").done().expect("done");
    assert_eq!(value.to_json(), Ok(json!({"essay": "cats", "is_approved": true})));
    let error = value.decode::<u8>().expect_err("a map").to_string();
    assert!(error.contains("result of entrypoint `workflow`"), "{error}");
    let review = run.typed::<Review>().wait().await.expect("ends").done().expect("done");
    assert!(review.is_approved);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_encoded_is_an_error_before_anything_is_sent() {
    struct Odd;
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it is odd"))
        }
    }
    let (client, mut coordinator) = pair().await;
    let thread = client.new_thread();
    let error = thread.resume(Odd).metadata("a", 1).start().await.expect_err("odd").to_string();
    assert!(error.contains("answer to an interrupt") && error.contains("it is odd"), "{error}");
    assert_eq!(coordinator.commands_now().await, 0);
}

#[tokio::test(start_paused = true)]
async fn early_and_late_subscribers_see_the_same_events() {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let run = thread.invoke(workflow(), "cat".into()).start().await.expect("accepted");
    let id = run.run_id();
    let script = async {
        coordinator.say(thread.id(), id, vec![started("workflow")]).await;
        for n in 0..600 {
            let value = payload(n);
            let custom = EventKind::Custom { call: None, attempt: 1, value };
            coordinator.say(thread.id(), id, vec![custom]).await;
            tokio::task::yield_now().await;
        }
        let end = vec![EventKind::RunEnded(done(()))];
        coordinator.say(thread.id(), id, end).await;
    };
    let (early, ()) = tokio::join!(run.events().try_collect::<Vec<Event>>(), script);
    let early = early.expect("reads");
    assert_eq!(early.iter().map(|event| event.seq).collect::<Vec<_>>(), Vec::from_iter(1..=602));

    let again = client.thread("essay-1").expect("an id").run(id);
    assert_eq!(again.events().try_collect::<Vec<_>>().await.expect("reads"), early);
    let rest = again.events_from(500).try_collect::<Vec<_>>().await.expect("reads");
    assert_eq!(rest, early[500..]);
    assert!(again.events_from(602).try_collect::<Vec<_>>().await.expect("reads").is_empty());
    let beyond = again.events_from(603).try_collect::<Vec<_>>().await;
    assert_eq!(beyond, Err(ClientError::EventsGone { run: id, after: 603 }));
}

#[tokio::test(start_paused = true)]
async fn waiting_may_have_a_limit() {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let run = thread.invoke(workflow(), "cat".into()).start().await.expect("accepted");
    let waited = Duration::from_secs(60);
    let error = ClientError::Timeout { run: run.run_id(), waited };
    assert_eq!(run.wait_for(waited).await, Err(error));

    let command = coordinator.command().await;
    coordinator.answer(&command, RunOutcome::Cancelled).await;
    assert_eq!(run.wait_for(waited).await, Err(ClientError::Cancelled));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_was_dropped_is_no_reason_to_wait() {
    let (client, mut coordinator) = pair().await;
    let run = client.thread("essay-1").expect("an id").run(run_id(1));
    let running = header(run_id(1), ThreadStatus::Running, 1);
    coordinator.put(Some(running), vec![input_checkpoint(1, run_id(1), "cat")]).await;
    let limit = Duration::from_secs(60);
    assert!(matches!(run.wait_for(limit).await, Err(ClientError::Timeout { .. })));

    coordinator.put(Some(header(run_id(1), ThreadStatus::Idle, 1)), Vec::new()).await;
    let gone = ClientError::EventsGone { run: run_id(1), after: 0 };
    assert_eq!(run.wait_for(limit).await, Err(gone));
}

/// A run id of a day ago.
fn old_run() -> RunId {
    let day = std::time::Duration::from_secs(24 * 3600);
    let made = std::time::SystemTime::now() - day;
    let since = made.duration_since(std::time::UNIX_EPOCH).expect("later");
    let stamp = uuid::Timestamp::from_unix(uuid::NoContext, since.as_secs(), 0);
    RunId::from_uuid(uuid::Uuid::new_v7(stamp))
}

#[tokio::test(start_paused = true)]
async fn an_old_run_without_events_is_looked_for() {
    let (client, mut coordinator) = pair().await;
    let thread = client.thread("essay-1").expect("an id");
    let (limit, seconds) = (Duration::from_secs(3600), Duration::from_secs(30));
    // The thread is gone, or on with another run.
    for newer in [None, Some(header(run_id(2), ThreadStatus::Running, 1))] {
        if newer.is_some() {
            coordinator.put(newer, vec![input_checkpoint(1, run_id(2), "cat")]).await;
        }
        let run = old_run();
        let gone = ClientError::EventsGone { run, after: 0 };
        assert_eq!(thread.run(run).wait_for(seconds).await, Err(gone));
    }
    // Its id says nothing of its age.
    let gone = ClientError::EventsGone { run: run_id(1), after: 0 };
    assert_eq!(thread.run(run_id(1)).wait_for(seconds).await, Err(gone));
    let nobodys = client.thread("essay-2").expect("an id").run(run_id(1));
    assert!(matches!(nobodys.wait_for(limit).await, Err(ClientError::Timeout { .. })));

    // It is still in the inbox, and then it has its turn.
    let run = old_run();
    let asked = thread.invoke(workflow(), "cat".into()).run_id(run).start().await;
    let asked = asked.expect("accepted");
    assert!(matches!(asked.wait_for(limit).await, Err(ClientError::Timeout { .. })));
    let command = coordinator.command().await;
    coordinator.answer(&command, RunOutcome::Cancelled).await;
    assert_eq!(asked.wait_for(limit).await, Err(ClientError::Cancelled));
}

/// A message of a later version.
#[derive(Debug, Serialize, Deserialize)]
struct Newer;

impl Record for Newer {
    const KIND: u8 = InboxMessage::KIND;
    const VERSION: u8 = InboxMessage::VERSION + 1;
}

#[tokio::test(start_paused = true)]
async fn a_request_of_a_newer_client_may_be_the_run_that_is_looked_for() {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(1));
    let client = Client::from_storage(Arc::clone(&storage));
    let op = OpId::from_random(7);
    storage.submit(PartitionId(0), op, Newer.to_record()).await.expect("submits");
    let run = client.thread("essay-1").expect("an id").run(old_run());
    let waited = Duration::from_secs(600);
    let error = ClientError::Timeout { run: run.run_id(), waited };
    assert_eq!(run.wait_for(waited).await, Err(error), "a newer coordinator may still run it");
}

#[tokio::test]
async fn ids_are_checked() {
    let (client, _) = pair().await;
    let error = client.thread("").expect_err("empty");
    assert!(matches!(error, ClientError::InvalidId(_)), "{error}");
    let (first, second) = (client.new_thread(), client.new_thread());
    assert!(first.id().as_str() < second.id().as_str());
    assert_eq!(client.thread("essay-1").expect("an id").id(), &thread_id());
}

#[tokio::test]
async fn an_unknown_scheme_lists_the_known_ones() {
    let error = rethread_client::Client::connect("postgres://host").await.expect_err("unknown");
    assert!(matches!(error, ClientError::UnsupportedUrl { .. }));
    let expected =
        "cannot connect to a `postgres://` address; supported are: redis://, redis+unix://";
    #[cfg(feature = "redis")]
    assert!(error.to_string().starts_with(expected), "{error}");
    #[cfg(not(feature = "redis"))]
    assert!(!error.to_string().starts_with(expected), "{error}");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_redis_that_is_not_there_is_an_error_of_the_storage() {
    // Nothing listens on a port that was bound and given back.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("an address");
    drop(socket);
    let error = rethread_client::Client::connect(format!("redis://{address}/")).await;
    let error = error.expect_err("nothing listens");
    assert!(matches!(error, ClientError::Storage(_)), "{error}");
    assert!(error.to_string().contains(&address.to_string()), "{error}");
}

#[test]
fn everything_can_cross_threads() {
    fn check<T: Send + Sync>() {}
    fn check_future<T: Send>(_: fn(rethread_client::RunHandle<u8>) -> T) {}
    check::<rethread_client::Client>();
    check::<rethread_client::Thread>();
    check::<rethread_client::RunHandle<Coordinator>>();
    check::<rethread_client::Request<Coordinator>>();
    check::<ClientError>();
    check_future(|run| async move { run.wait().await });
}
