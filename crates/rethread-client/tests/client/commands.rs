//! What requests to graphs tell the coordinator.

use std::future::IntoFuture;

use rethread_client::{ClientError, CommandInput, RunOutcome, Thread};
use rethread_core::graph::{Breakpoints, Destination, GraphCommand};
use rethread_core::message::{self, Action, Answers, Update, UpdateAs};

use crate::coordinator::{Coordinator, checkpoint_id, done, interrupt_id, pair, payload};

async fn thread() -> (Thread, Coordinator) {
    let (client, coordinator) = pair().await;
    (client.thread("essay-1").expect("an id"), coordinator)
}

#[tokio::test(start_paused = true)]
async fn a_command_says_all_it_asks_for() {
    let (thread, mut coordinator) = thread().await;
    let command = CommandInput::new()
        .update([1])
        .goto("a")
        .send("b", 7)
        .goto("c")
        .resume_by_id([(interrupt_id(1), "yes")]);
    let script = async {
        let command = coordinator.command().await;
        coordinator.answer(&command, done("done")).await;
        command
    };
    let (outcome, sent) =
        tokio::join!(thread.command(command).typed::<String>().into_future(), script);
    assert_eq!(outcome.expect("runs").done(), Some("done".to_owned()));
    let by_id = [(interrupt_id(1), payload("yes"))];
    let expected = message::CommandInput {
        answers: Some(Answers::ById(by_id.into())),
        command: GraphCommand {
            update: Some(payload([1])),
            goto: vec![
                Destination::Node("a".into()),
                Destination::Send { node: "b".into(), input: payload(7) },
                Destination::Node("c".into()),
            ],
        },
    };
    assert_eq!(sent.action, Action::Command(Box::new(expected)));
}

#[tokio::test]
async fn answers_of_a_command_may_be_json() {
    let (thread, mut coordinator) = thread().await;
    let by_id = serde_json::json!({ interrupt_id(1).to_string(): "yes" });
    let cases = [
        (by_id, Answers::ById([(interrupt_id(1), payload("yes"))].into())),
        (
            serde_json::json!({ "is": "yes" }),
            Answers::Only(payload(serde_json::json!({ "is": "yes" }))),
        ),
    ];
    for (json, expected) in cases {
        let _run = thread.command(CommandInput::new().resume_json(&json)).start().await;
        let Action::Command(sent) = coordinator.command().await.action else { panic!("a command") };
        assert_eq!(sent.answers, Some(expected));
    }
}

#[tokio::test]
async fn what_a_command_cannot_encode_is_an_error_when_it_is_sent() {
    let (thread, mut coordinator) = thread().await;
    struct Odd;
    impl serde::Serialize for Odd {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("odd"))
        }
    }
    let command = CommandInput::new().send("b", Odd).resume("yes");
    let error = thread.command(command).start().await.expect_err("cannot be encoded");
    assert!(matches!(error, ClientError::Payload(_)), "{error}");
    assert!(error.to_string().contains("sent to node `b`"), "{error}");
    assert_eq!(coordinator.commands_now().await, 0);
}

#[tokio::test]
async fn large_values_of_commands_are_refused() {
    let (thread, mut coordinator) = thread().await;
    let large = || "x".repeat(5 << 20);
    let requests = [
        CommandInput::new().update(large()),
        CommandInput::new().send("b", large()),
        CommandInput::new().resume(large()),
    ];
    for command in requests {
        let error = thread.command(command).start().await.expect_err("too large");
        assert!(matches!(error, ClientError::PayloadTooLarge { .. }), "{error}");
    }
    assert_eq!(coordinator.commands_now().await, 0);
}

#[tokio::test]
async fn breakpoints_and_the_limit_of_steps_travel_with_the_request() {
    let (thread, mut coordinator) = thread().await;
    let request = thread.retry().interrupt_before(["a", "b"]).interrupt_after(["*"]);
    let _run = request.recursion_limit(3).start().await.expect("accepted");
    let settings = coordinator.command().await.settings;
    let expected = Breakpoints { before: vec!["a".into(), "b".into()], after: vec!["*".into()] };
    assert_eq!(settings.breakpoints, expected);
    assert_eq!(settings.recursion_limit, Some(3));
    let error = thread.retry().recursion_limit(0).start().await.expect_err("no step at all");
    assert_eq!(error, ClientError::ZeroLimit { setting: "recursion_limit" });
}

#[tokio::test(start_paused = true)]
async fn an_update_may_be_of_several_nodes_and_of_a_graph_within() {
    let (thread, mut coordinator) = thread().await;
    let request = thread.update_state("B1").as_node("b").and("C", "c").within(["sub", "low"]);
    let script = async {
        let command = coordinator.command().await;
        let made = RunOutcome::Edited(Some(checkpoint_id(9)));
        coordinator.answer(&command, made).await;
        command
    };
    let (made, sent) = tokio::join!(request.into_future(), script);
    assert_eq!(made, Ok(checkpoint_id(9)));
    let expected = Update {
        kind: UpdateAs::Node(Some("b".into())),
        values: payload("B1"),
        save: None,
        entrypoint: None,
        more: vec![(payload("C"), Some("c".into()))],
        path: vec!["sub".into(), "low".into()],
    };
    assert_eq!(sent.action, Action::Update(Box::new(expected)));
}
