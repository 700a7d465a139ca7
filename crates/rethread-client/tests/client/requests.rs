use rethread_client::{ClientError, EntrypointRef, Outcome, RunDurability, Thread};
use rethread_core::message::{Action, Answers, Command};
use rethread_core::settings::RunSettings;
use serde::Serialize;
use serde_json::json;

use crate::coordinator::{
    Coordinator, checkpoint_id, done, input_checkpoint, interrupt_id, pair, payload, run_id,
};

async fn thread() -> (Thread, Coordinator) {
    let (client, coordinator) = pair().await;
    (client.thread("essay-1").expect("an id"), coordinator)
}

fn workflow() -> EntrypointRef<String, String> {
    EntrypointRef::named("workflow")
}

fn start() -> Action {
    Action::Start { entrypoint: "workflow".into(), input: payload("cat") }
}

#[tokio::test(start_paused = true)]
async fn settings_travel_with_the_command() {
    let (thread, mut coordinator) = thread().await;
    thread
        .invoke(workflow(), "cat".into())
        .metadata("n", 7)
        .configurable("user", json!({"id": "ada"}))
        .tag("a")
        .tag("b")
        .context(json!({"locale": "en"}))
        .durability(RunDurability::Exit)
        .max_concurrency(3)
        .recursion_limit(25)
        .lenient()
        .start()
        .await
        .expect("accepted");
    let Command { settings, at, is_lenient, action, .. } = coordinator.command().await;
    let mut expected = RunSettings {
        context: Some(payload(json!({"locale": "en"}))),
        durability: RunDurability::Exit,
        max_concurrency: Some(3),
        recursion_limit: Some(25),
        ..RunSettings::default()
    };
    expected.config.tags = vec!["a".into(), "b".into()];
    expected.config.metadata = [("n".to_owned(), payload(7))].into();
    expected.config.configurable = [("user".to_owned(), payload(json!({"id": "ada"})))].into();
    assert_eq!((*settings, at, is_lenient, action), (expected, None, true, start()));
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_is_read_when_the_request_is_sent() {
    let (thread, mut coordinator) = thread().await;
    let request = thread.invoke(workflow(), "cat".into()).at(checkpoint_id(1));
    let missing = ClientError::CheckpointNotFound {
        thread: thread.id().clone(),
        checkpoint: checkpoint_id(1),
    };
    assert_eq!(request.start().await.expect_err("is not there"), missing);
    assert_eq!(coordinator.commands_now().await, 0);

    let made = input_checkpoint(1, run_id(1), "dog");
    coordinator.put(None, vec![made.clone()]).await;
    thread.resume("x").at(checkpoint_id(1)).start().await.expect("accepted");
    assert_eq!(coordinator.command().await.at, Some(Box::new(made)));
}

#[tokio::test(start_paused = true)]
async fn a_null_input_goes_on_where_langgraphs_rules_are_wanted() {
    let (thread, mut coordinator) = thread().await;
    thread.invoke_json("workflow", &json!(null)).lenient().start().await.expect("accepted");
    assert_eq!(coordinator.command().await.action, Action::Retry);
    thread.invoke_json("workflow", &json!(null)).start().await.expect("accepted");
    let started = Action::Start { entrypoint: "workflow".into(), input: payload(()) };
    assert_eq!(coordinator.command().await.action, started);
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_zero_is_refused() {
    let (thread, mut coordinator) = thread().await;
    for request in [thread.retry().max_concurrency(0), thread.retry().recursion_limit(0)] {
        let error = request.tag("later").start().await.expect_err("zero");
        assert!(matches!(error, ClientError::ZeroLimit { .. }), "{error}");
    }
    assert_eq!(coordinator.commands_now().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_setting_that_cannot_be_encoded_is_an_error_of_sending() {
    struct Odd;
    impl Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it is odd"))
        }
    }
    let (thread, mut coordinator) = thread().await;
    let error = thread.retry().configurable("user", Odd).tag("t").start().await.expect_err("odd");
    assert!(error.to_string().contains("configurable `user`"), "{error}");
    let error = thread.retry().context(Odd).start().await.expect_err("odd");
    assert!(error.to_string().contains("context of the run"), "{error}");
    assert_eq!(coordinator.commands_now().await, 0);
}

#[tokio::test(start_paused = true)]
async fn programs_without_types_say_and_get_json() {
    let (thread, mut coordinator) = thread().await;
    let run = thread.invoke_json("workflow", &json!("cat")).start().await.expect("accepted");
    let command = coordinator.command().await;
    assert_eq!(command.action, start());
    coordinator.answer(&command, done(json!({"essay": [1, "x"]}))).await;
    assert_eq!(run.wait().await, Ok(Outcome::Done(json!({"essay": [1, "x"]}))));

    thread.resume_json(&json!({"ok": true})).start().await.expect("accepted");
    let only = Action::Resume(Answers::Only(payload(json!({"ok": true}))));
    assert_eq!(coordinator.command().await.action, only);
    let answers = json!({ interrupt_id(2).to_string(): "no" });
    thread.resume_json(&answers).start().await.expect("accepted");
    let by_id = Answers::ById([(interrupt_id(2), payload("no"))].into());
    assert_eq!(coordinator.command().await.action, Action::Resume(by_id));
}
